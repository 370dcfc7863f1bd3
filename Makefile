# migrator: an extension of PostgreSQL and its Kafka client process.
#   make, make install   build and install          make test    every test, set-up included
#   make demo            the main job, shown        make unit    the tests that need no server
#   make bench           how fast it is

EXTENSION   := migrator
VERSION     := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" migrator.control)
PG_CONFIG   ?= pg_config

# Folders of the module that lives inside PostgreSQL, lowest level first, and of the client process beside it.
MODULE_DIRS := base wire message pg structure ddl store server migration publish consume worker
CLIENT_DIRS := base wire kafka client
# Features with SQL, in the order of installation: each has a tables.sql, a code.sql, or both.
FEATURES    := roles structure ddl store server migration publish consume worker

MODULE_big  := migrator
OBJS        := src/init.o $(patsubst %.cpp,%.o,$(wildcard $(MODULE_DIRS:%=src/%/*.cpp)))
INSTALL_SQL := migrator--$(VERSION).sql
DATA_built  := $(INSTALL_SQL)
CLIENT      := build/migrator_kafka
EXTRA_CLEAN := build $(INSTALL_SQL) $(patsubst %.cpp,%.d,$(wildcard src/*.cpp src/*/*.cpp))

CXX_OPTIONS := -std=c++20 -Wall -Wextra -Wshadow -fvisibility=hidden -MMD -MP $(if $(WERROR),-Werror)
PG_CPPFLAGS := -Isrc
# -isystem: PostgreSQL's headers are C and do not compile without warnings under ours.
PG_CXXFLAGS := $(CXX_OPTIONS) -isystem $(shell $(PG_CONFIG) --includedir-server)
SHLIB_LINK  := -Wl,--version-script=src/exports.map -lstdc++ -ljansson

PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(if $(filter-out setup demo test bench,$(or $(MAKECMDGOALS),all)),$(error PostgreSQL's server headers are missing: run "make setup" as root first))
else
override with_llvm := no
include $(PGXS)
override with_llvm := no
endif

all: $(CLIENT)
$(EXTENSION).so: src/exports.map

$(INSTALL_SQL): migrator.control Makefile $(wildcard $(FEATURES:%=src/%/*.sql))
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit'; \
	   for kind in tables code; do for feature in $(FEATURES); do \
	     file=src/$$feature/$$kind.sql; [ ! -f $$file ] || { echo; echo "-- $$file"; cat $$file; }; \
	   done; done; } | sed 's/^create or replace /create /' > $@

# The client process: pure C++, the only user of librdkafka.
CLIENT_OBJS := $(patsubst src/%.cpp,build/client/%.o,$(wildcard $(CLIENT_DIRS:%=src/%/*.cpp)))
build/client/%.o: src/%.cpp
	@mkdir -p $(@D)
	$(CXX) -O2 -g $(CXX_OPTIONS) -Isrc -c -o $@ $<
$(CLIENT): $(CLIENT_OBJS)
	$(CXX) -o $@ $^ -lrdkafka -ljansson -lpthread

install: install-client
install-client: $(CLIENT)
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_PROGRAM) $(CLIENT) '$(DESTDIR)$(pkglibdir)/migrator_kafka'
uninstall: uninstall-client
uninstall-client:
	rm -f '$(DESTDIR)$(pkglibdir)/migrator_kafka'
.PHONY: install-client uninstall-client

-include $(wildcard src/*.d src/*/*.d) $(CLIENT_OBJS:.o=.d)
include test/test.mk
