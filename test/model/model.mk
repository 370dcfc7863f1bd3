# The model of the publishing protocol: test/model/README.md.
#   make model           with larger bounds: some minutes, and some GB of memory
# Without --long it is a part of "make test".

MODEL_SOURCES := $(wildcard test/model/*.cpp)

build/test/model: $(MODEL_SOURCES) $(wildcard test/model/*.hpp)
	@mkdir -p $(@D)
	$(CXX) -O3 -std=c++20 -Wall -Wextra -Wshadow $(if $(WERROR),-Werror) -o $@ $(MODEL_SOURCES)

model: build/test/model
	build/test/model --long
.PHONY: model
