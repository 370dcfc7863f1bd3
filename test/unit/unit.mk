# Tests that need no server: every test/unit/*_test.cpp is a gtest program.
#   make unit            builds and runs them, in build/unit
#   make unit-sanitize   the same under the address and undefined behaviour sanitizers, in build/unit-sanitize
#   make fuzz SECONDS=60 the fuzz tests of the latter for so long each, with a seed of the time or SEED=n
# A test whose name begins with kafka_ is linked with src/kafka and librdkafka, and may start the client process.
# kafka_client_test and kafka_consumer_test need a broker: they are skipped unless MIGRATOR_TEST_BROKER holds its host:port
# ("make test" starts one).

UNIT_TESTS    := $(patsubst test/unit/%.cpp,%,$(wildcard test/unit/*_test.cpp))
UNIT_SOURCES  := $(wildcard src/base/*.cpp src/wire/*.cpp src/message/*.cpp) src/server/options.cpp \
                $(filter-out %/functions.cpp,$(wildcard src/ddl/*.cpp))
UNIT_KAFKA    := $(wildcard src/kafka/*.cpp)
UNIT_OPTIONS  := -std=c++20 -g -Wall -Wextra -Wshadow -MMD -MP $(if $(WERROR),-Werror) -Isrc
UNIT_SANITIZE := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

# $1: the target, which is the folder below build as well; $2: flags
define unit_rules
build/$1/src/%.o: src/%.cpp
	@mkdir -p $$(@D)
	$$(CXX) $$(UNIT_OPTIONS) $2 -c -o $$@ $$<
build/$1/%_test.o: test/unit/%_test.cpp
	@mkdir -p $$(@D)
	$$(CXX) $$(UNIT_OPTIONS) $2 -c -o $$@ $$<
build/$1/%_test: build/$1/%_test.o $(UNIT_SOURCES:%.cpp=build/$1/%.o)
	$$(CXX) $2 -o $$@ $$^ -lgtest -lgtest_main -ljansson -lrdkafka -lpthread
$(patsubst %,build/$1/%,$(filter kafka_%,$(UNIT_TESTS))): $(UNIT_KAFKA:%.cpp=build/$1/%.o)
build/$1/migrator_kafka: $(patsubst %.cpp,build/$1/%.o,$(wildcard $(CLIENT_DIRS:%=src/%/*.cpp)))
	$$(CXX) $2 -o $$@ $$^ -lrdkafka -ljansson -lpthread
$1: $(UNIT_TESTS:%=build/$1/%) build/$1/migrator_kafka
	@for test in $(UNIT_TESTS); do \
	   echo "== $$$$test"; MIGRATOR_KAFKA_CLIENT=build/$1/migrator_kafka build/$1/$$$$test --gtest_brief=1 || exit 1; done
.PHONY: $1
.PRECIOUS: build/$1/%_test.o build/$1/src/%.o
-include $$(wildcard build/$1/*.d build/$1/src/*/*.d)
endef
$(eval $(call unit_rules,unit,-O2))
$(eval $(call unit_rules,unit-sanitize,$(UNIT_SANITIZE)))

FUZZ_TESTS := $(filter %_fuzz_test,$(UNIT_TESTS))
SECONDS ?= 60
.PHONY: fuzz
fuzz: $(FUZZ_TESTS:%=build/unit-sanitize/%)
	@seed=$(or $(SEED),$$(date +%s)); for test in $(FUZZ_TESTS); do \
	   echo "== $$test, seed $$seed"; MIGRATOR_FUZZ_SEED=$$seed MIGRATOR_FUZZ_SECONDS=$(SECONDS) build/unit-sanitize/$$test || exit 1; done

# What the client process costs and how long a recovery takes; usage in the source.
build/client_bench: test/bench/client_bench.cpp $(wildcard src/wire/*.cpp) test/unit/client_process.hpp
	@mkdir -p $(@D)
	$(CXX) -O2 -std=c++20 -Wall -Wextra -Wshadow -Isrc -o $@ $(filter %.cpp,$^) -lrdkafka
