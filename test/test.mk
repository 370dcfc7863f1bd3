# The tests, the demo, and what both need. How to write a test: test/README.md.

PYTHON := /usr/bin/python3  # Debian's: its packages are the ones that "make setup" installs
export PG_CONFIG

.PHONY: setup test checks unit regress isolation pgtap e2e chaos chaos-report bench demo installed

setup:
	@scripts/setup.sh

-include test/unit/unit.mk
include test/model/model.mk
include test/faults.mk
include test/sanitize/sanitize.mk

# The second make sees PostgreSQL's makefiles even if they were installed only now.
SECOND_MAKE = $(MAKE) --no-print-directory -j$(shell nproc)

test: setup
	@scripts/fetch-kafka.sh
	@$(SECOND_MAKE) installed faults
	@$(PYTHON) test/run.py

checks: all
	@$(PYTHON) test/run.py $@
regress isolation pgtap: installed
	@$(PYTHON) test/run.py $@
e2e: installed faults
	@scripts/fetch-kafka.sh
	@$(PYTHON) test/run.py $@

# The server finds an extension only in its own folders. Whoever may not write there has installed it before.
installed: all
	@if [ -w '$(DESTDIR)$(pkglibdir)' ]; then $(MAKE) --no-print-directory -s install; \
	elif ! cmp -s $(EXTENSION).so '$(pkglibdir)/$(EXTENSION).so' || ! cmp -s $(INSTALL_SQL) '$(datadir)/extension/$(INSTALL_SQL)'; then \
	  echo 'This build is not the installed one. Install it and try again:' >&2; echo '  sudo make install' >&2; exit 1; fi

# Runs under random faults, each judged: make chaos ROUNDS=100 FAULT=kills. Can be stopped and started again.
RESULTS ?= build/chaos/results
chaos: installed faults
	@scripts/fetch-kafka.sh
	@$(PYTHON) test/chaos/chaos.py $(or $(ROUNDS),5) --results $(RESULTS) $(if $(FAULT),--fault $(FAULT)) $(if $(SEED),--seed $(SEED))
chaos-report:
	@$(PYTHON) test/chaos/chaos.py --report --results $(RESULTS)

# From the in-tables into the store and back, in numbers: make round-trip ROWS=1000000
.PHONY: round-trip
round-trip: installed
	@scripts/fetch-kafka.sh
	@$(PYTHON) -m pytest -p no:cacheprovider -q -s test/e2e/test_round_trip.py --round-trip-rows=$(or $(ROWS),1000000)

# Bad input in numbers: make poison ROWS=1000000, make calls CALLS=100000, make sqlsmith QUERIES=5000 SEED=2
CALLS ?= 100000
.PHONY: poison calls sqlsmith
poison: installed
	@scripts/fetch-kafka.sh
	@$(PYTHON) -m pytest -p no:cacheprovider -q -s test/e2e/test_poison.py --poison-rows=$(or $(ROWS),100000)
calls: installed
	@$(PYTHON) -m pytest -p no:cacheprovider -q -s test/e2e/test_calls.py --calls=$(CALLS)
sqlsmith: installed
	@command -v sqlsmith > /dev/null || { echo 'sqlsmith is missing: apt-get install sqlsmith' >&2; exit 1; }
	@$(PYTHON) test/sqlsmith.py $(or $(QUERIES),3000) $(or $(SEED),1)

# Ours beside what users would pick instead; SERIES=workers and others measure more: test/bench/README.md. Report: docs/benchmark.md.
bench: setup
	@scripts/fetch-kafka.sh
	@scripts/fetch-debezium.sh
	@$(SECOND_MAKE) -s installed build/client_bench
	@$(PYTHON) test/bench/bench.py $(SERIES) $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(WORKERS),--workers $(WORKERS)) $(if $(PARTITIONS),--partitions $(PARTITIONS))

build/mock_broker: demo/mock_broker.cpp
	@mkdir -p $(@D)
	$(CXX) -O2 -g $(CXX_OPTIONS) -MF $@.d -o $@ $< -lrdkafka

demo: setup
	@echo 'Building and installing'
	@$(SECOND_MAKE) -s installed build/mock_broker
	@$(PYTHON) demo/demo.py
