# The build variant with failpoints and mutations (src/base/fault.hpp), for the tests alone and never installed.
#   make faults      builds it; only the sources that include that header differ from the ordinary build
#   make mutations   switches off each rule of the protocol in turn and demands that its tests fail

FAULTS        := build/faults
FAULT_SOURCES := $(shell grep -l '"base/fault.hpp"' src/*/*.cpp)
# $1: folder of the ordinary objects, $2: folder of the variant's, $3: ordinary objects
with_faults    = $(foreach object,$3,$(if $(filter $(object:$1/%.o=src/%.cpp),$(FAULT_SOURCES)),$(object:$1/%=$2/%),$(object)))
FAULT_MODULE  := $(call with_faults,src,$(FAULTS)/module,$(OBJS))
FAULT_CLIENT  := $(call with_faults,build/client,$(FAULTS)/client,$(CLIENT_OBJS))

$(FAULTS)/module/%.o: src/%.cpp
	@mkdir -p $(@D)
	$(COMPILE.cc) -O1 -DMIGRATOR_FAULTS -o $@ $<
$(FAULTS)/migrator.so: $(FAULT_MODULE) src/exports.map
	$(LINK.shared) -o $@ $(FAULT_MODULE) $(LDFLAGS) $(LDFLAGS_SL) $(SHLIB_LINK)
$(FAULTS)/client/%.o: src/%.cpp
	@mkdir -p $(@D)
	$(CXX) -O1 -g $(CXX_OPTIONS) -Isrc -DMIGRATOR_FAULTS -c -o $@ $<
$(FAULTS)/migrator_kafka: $(FAULT_CLIENT)
	$(CXX) -o $@ $^ -lrdkafka -ljansson -lpthread
-include $(wildcard $(FAULTS)/*/*/*.d)

.PHONY: faults mutations
faults: $(FAULTS)/migrator.so $(FAULTS)/migrator_kafka

# MUTATIONS='name...' chooses among them.
mutations: installed faults
	@scripts/fetch-kafka.sh
	@$(PYTHON) test/mutations/run.py $(MUTATIONS)
