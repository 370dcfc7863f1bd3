# Build variants under gcc's sanitizers, with failpoints, for the tests alone and never installed.
#   make sanitize          all of the following
#   make sanitize-address  module and client process under AddressSanitizer and UndefinedBehaviorSanitizer
#   make sanitize-thread   client process and librdkafka under ThreadSanitizer
# What runs in them: test/sanitize/sanitize.py.

SANITIZED         := build/sanitize
SANITIZE_address  := -O1 -g -fno-omit-frame-pointer -U_FORTIFY_SOURCE -DMIGRATOR_FAULTS -fsanitize=address,undefined
SANITIZE_thread   := -O1 -g -fno-omit-frame-pointer -DMIGRATOR_FAULTS -fsanitize=thread
# glibc's own C11 threads start behind the back of ThreadSanitizer, which then has no place for them (SIGSEGV): pthreads it is.
# None of the libraries that are left out plays a part in the tests.
RDKAFKA_CONFIGURE := --CFLAGS='-O1 -w -fno-omit-frame-pointer -fsanitize=thread' --LDFLAGS=-fsanitize=thread --disable-optimization \
                     --disable-c11threads --disable-gssapi --disable-curl
RDKAFKA           := $(SANITIZED)/thread/librdkafka.so.1

$(SANITIZED)/address/module/%.o: src/%.cpp
	@mkdir -p $(@D)
	$(COMPILE.cc) $(SANITIZE_address) -o $@ $<
$(SANITIZED)/address/migrator.so: $(OBJS:src/%=$(SANITIZED)/address/module/%) src/exports.map
	$(LINK.shared) -fsanitize=address,undefined -o $@ $(filter %.o,$^) $(LDFLAGS) $(LDFLAGS_SL) $(SHLIB_LINK)
$(SANITIZED)/address/first.so: test/sanitize/first.c
	@mkdir -p $(@D)
	$(CC) -O1 -Wall -shared -fPIC -Wl,-z,initfirst -o $@ $<
$(SANITIZED)/thread/migrator.so: $(FAULTS)/migrator.so
	@mkdir -p $(@D)
	cp $< $@

# $1: sanitizer; $2: what the client program is linked with; $3: what else is needed
define sanitized_client
$(SANITIZED)/$1/client/%.o: src/%.cpp
	@mkdir -p $$(@D)
	$$(CXX) $$(CXX_OPTIONS) -Isrc $$(SANITIZE_$1) -c -o $$@ $$<
$(SANITIZED)/$1/migrator_kafka: $(CLIENT_OBJS:build/client/%=$(SANITIZED)/$1/client/%) $2
	$$(CXX) $$(SANITIZE_$1) -o $$@ $$^ $(if $2,-Wl$(comma)-rpath$(comma)'$$$$ORIGIN',-lrdkafka) -ljansson -lpthread
sanitize-$1: installed $(SANITIZED)/$1/migrator.so $(SANITIZED)/$1/migrator_kafka $3
	@scripts/fetch-kafka.sh
	@$$(PYTHON) test/sanitize/sanitize.py $1 $$(TESTS)
endef
comma := ,
$(eval $(call sanitized_client,address,,$(SANITIZED)/address/first.so))
$(eval $(call sanitized_client,thread,$(RDKAFKA)))
-include $(wildcard $(SANITIZED)/*/*/*.d $(SANITIZED)/*/*/*/*.d)

$(RDKAFKA): scripts/fetch-librdkafka.sh test/sanitize/sanitize.mk
	@scripts/fetch-librdkafka.sh
	cd build/librdkafka/source && ./configure $(RDKAFKA_CONFIGURE) > ../configured
	$(MAKE) -C build/librdkafka/source/src clean > build/librdkafka/cleaned
	$(MAKE) -C build/librdkafka/source/src librdkafka.so.1 > build/librdkafka/made
	@mkdir -p $(@D)
	cp build/librdkafka/source/src/librdkafka.so.1 $@

.PHONY: sanitize sanitize-address sanitize-thread
sanitize: sanitize-address sanitize-thread
