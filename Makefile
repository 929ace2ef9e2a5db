# One command for each thing. Everything lands in .venv/; nothing is installed elsewhere.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test accept bench bench-audit lint format unit lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# The demo needs less than the tests: a first look should not wait for linters.
$(STAMP)-demo: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "eoscheck needs Python 3.11 or newer: set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(STAMP)-dev: $(STAMP)-demo
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)-demo  ## a real Kafka, the reference app under fire, the audit, an HTML report
	$(BIN)/eoscheck demo

test: lint  ## lint, types, import rules, and a slice of every test
	$(BIN)/python -m pytest -m 'not accept' -n 2 --dist loadfile

accept: $(STAMP)-dev  ## the full lists of what must be shown (long)
	$(BIN)/python -m pytest -m 'accept' -n 2 --dist loadfile

# BENCH="--only restore --quick" narrows it down; --help says more.
bench: $(STAMP)-dev  ## speed beside Kafka Streams, on a quiet machine; writes docs/benchmarks.md (half an hour)
	@if command -v mvn >/dev/null && command -v javac >/dev/null; \
	then $(MAKE) --no-print-directory -C benchmarks/peers/java-streams; \
	else echo "no mvn and javac here: the Kafka Streams peer is left out"; fi
	$(BIN)/python -m benchmarks $(BENCH)

bench-audit: $(STAMP)-dev  ## speed and memory of the auditor, on a quiet machine; writes docs/audit-speed.md (a quarter of an hour)
	@if command -v mvn >/dev/null && command -v java >/dev/null; \
	then $(MAKE) --no-print-directory -C benchmarks/peers/java-consumer; \
	else echo "no mvn and java here: Kafka's ConsumerPerformance is left out"; fi
	$(BIN)/python -m benchmarks.audit $(BENCH)

unit: $(STAMP)-dev  ## the tests that need no broker, without the thorough ones (half a minute)
	$(BIN)/python -m pytest tests/unit -m 'not thorough' -n 2

lint: $(STAMP)-dev  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)-dev  ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP)-dev  ## write constraints.txt anew from what is installed
	$(PIP) freeze --exclude-editable --exclude pip --exclude setuptools > constraints.txt

clean:  ## remove the environment and what tools leave
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: schema
schema: $(STAMP)-dev  ## write the JSON schema of scenario files anew
	$(BIN)/python -c 'import json; from eoscheck.run.scenario import json_schema; print(json.dumps(json_schema(), indent=2))' > chaos/scenario.schema.json

.PHONY: docker-image
docker-image: $(STAMP)-dev  ## images of Kafka and of the reference app, where none can be pulled (needs a Docker daemon)
	$(BIN)/python scripts/docker_image.py

# SOAK_EXAMPLES=100000 for longer.
.PHONY: soak
soak: $(STAMP)-dev  ## random topics against the naive model of an audit, by the thousands (minutes)
	SOAK_EXAMPLES=$${SOAK_EXAMPLES:-10000} $(BIN)/python -m pytest --timeout=0 --hypothesis-show-statistics tests/unit/audit/test_whole_model.py

# GALLERY="green picture" makes only those.
.PHONY: gallery
gallery: $(STAMP)-dev  ## real reports in reports/gallery/, and the README's picture (a quarter of an hour)
	$(BIN)/python scripts/gallery.py $(GALLERY)
