# make demo    the whole hub on this machine; EXIT=1 leaves at the end, PEOPLE=20000, PORT_BASE=0, SUMMARY=FILE (- prints)
# make test    all tests, with the same real parts; PYTEST="-n 2 -m demo" the demo's alone (stubs, benchmarks),
#              SEED=1 the examples of a certain seed
# make unit    those tests that need neither a database nor the simulated systems
# make test-thorough   the same, each property tried with ten times as many examples
# make coverage        the same, and how much of oncehub/ they run
# make lint    style, types, layering, configuration documents, links and names in the documentation
# make compose-test    docker-compose.yml run for real: brought up, a cycle, every service killed and restarted, taken down;
#              needs a Docker engine, and takes about 4 minutes
# make night-test   a night with two workers: a source down, one sending nonsense, a worker killed, a database restarted;
#              needs a Docker engine, and takes 6 to 11 minutes
# make types   what of lint depends on the version of Python: make types unit VENV=.cache/3.13 PYTHON=python3.13
# make docs    build the documentation site into var/site
# make bench   how fast records land, how a cycle's time follows the size of the change, what reconciling costs,
#              how records without identifiers are linked, how right the hub is, and how fast people are looked up;
#              PEOPLE=20000, RECORDS=200000, SIZES="100000 1000000"
# make torture     at least 300 kills at random of commands, API and server; then every table is compared with a hub
#              that nobody killed; KILLS=300, SEED=1, PEOPLE=600
# make sbom    list what the image installs, with licences, as CycloneDX: var/sbom.cdx.json
# make lock    compile requirements.lock and requirements-dev.lock again after a change to pyproject.toml
PYTHON ?= python3
PEOPLE ?= 20000
RECORDS ?= 200000
SIZES ?= 100000 1000000
EXIT ?=
SUMMARY ?=
KILLS ?= 300
SEED ?=
PORT_BASE ?= 0
PYTEST ?= -n 3 --dist loadfile --no-loadscope-reorder

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.complete

.DEFAULT_GOAL := help
.PHONY: help demo test unit compose-test night-test test-thorough types coverage lint docs bench torture sbom lock install clean

help:
	@sed -n 's/^# make/make/p' Makefile

install: $(READY)

# uv installs in 5 s what takes pip 45; where it cannot run, pip does the same with the same hashes.
$(READY): requirements-dev.lock .ci/installer.lock pyproject.toml
	@$(PYTHON) -c '' 2>/dev/null || { \
		echo "make: $(PYTHON) does not run; install Python 3.11 to 3.13, or name it: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
		echo "make: oncehub needs Python 3.11 to 3.13, and $(PYTHON) is $$($(PYTHON) -V 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "installing into $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "make: $(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@export PIP_DISABLE_PIP_VERSION_CHECK=1; \
	if $(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r .ci/installer.lock && $(BIN)/uv --version >/dev/null; \
	then $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock && \
		$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	else $(BIN)/python -m pip install -q --require-hashes -r requirements-dev.lock && \
		$(BIN)/python -m pip install -q --no-deps --no-build-isolation --editable .; fi
	@touch $@

demo: $(READY)
	@$(BIN)/python -m demo --people $(PEOPLE) --port-base $(PORT_BASE) $(if $(EXIT),--exit) $(if $(SUMMARY),--summary "$(SUMMARY)")

test: $(READY)
	$(BIN)/python -m pytest --durations=10 $(PYTEST) $(if $(SEED),--hypothesis-seed=$(SEED))

unit: $(READY)
	$(BIN)/python -m pytest $(PYTEST) -m unit $(if $(SEED),--hypothesis-seed=$(SEED))

test-thorough: $(READY)
	$(BIN)/python -m pytest --durations=10 $(PYTEST) --hypothesis-profile=thorough

coverage: $(READY)
	$(BIN)/python -m pytest --durations=10 $(PYTEST) --cov --cov-report=term

compose-test night-test: $(READY)
	@docker info >/dev/null 2>&1 || { \
		echo "make: no Docker engine answers; start one (systemctl start docker), then run this again" >&2; exit 1; }
	$(BIN)/python -m pytest --durations=10 -m $(@:-test=) tests/deploy

# What of lint depends on the version of Python.
types: $(READY)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/oncehub check

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar oncehub
	$(BIN)/oncehub check
	$(BIN)/oncehub schemas --check
	$(BIN)/oncehub connector docs --check
	.ci/check-compose
	$(BIN)/python .ci/check-docs
	$(BIN)/zensical build --strict

docs: $(READY)
	$(BIN)/zensical build --strict --clean

bench: $(READY)
	$(BIN)/python -m benchmarks.landing --records $(RECORDS)
	$(BIN)/python -m benchmarks.cycles --people $(PEOPLE)
	$(BIN)/python -m benchmarks.reconcile --people $(SIZES)
	$(BIN)/python -m benchmarks.matching --records $(RECORDS)
	$(BIN)/python -m benchmarks.accuracy --people $(PEOPLE)
	$(BIN)/python -m benchmarks.lookup
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r benchmarks/datasets.lock
	$(BIN)/python -m benchmarks.febrl4

torture: PEOPLE = 600
torture: $(READY)
	@$(BIN)/python -m torture --kills $(KILLS) --people $(PEOPLE) $(if $(SEED),--seed $(SEED))

# The image's packages are installed once more, for the list is made of an environment that has nothing else.
sbom: $(READY)
	@rm -rf .cache/sbom && $(PYTHON) -m venv --without-pip .cache/sbom/image && $(PYTHON) -m venv --without-pip .cache/sbom/tool
	@$(BIN)/uv pip install -q --python .cache/sbom/image/bin/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install -q --python .cache/sbom/tool/bin/python --require-hashes -r .ci/sbom.lock
	@mkdir -p var
	@.cache/sbom/tool/bin/cyclonedx-py environment .cache/sbom/image/bin/python --pyproject pyproject.toml \
		--mc-type application --output-reproducible -o var/sbom.cdx.json
	@echo "var/sbom.cdx.json: $$(grep -c '"purl"' var/sbom.cdx.json) components"

# The versions that are locked stay unless pyproject.toml asks for others. requirements.lock is what runs the
# hub with all its extras, in the versions of requirements-dev.lock, which are those that are tested.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url
lock: $(READY)
	$(COMPILE) --extra dev pyproject.toml -o requirements-dev.lock
	cp requirements-dev.lock requirements.lock
	$(COMPILE) --extra image pyproject.toml -o requirements.lock
	$(COMPILE) .ci/installer.in -o .ci/installer.lock
	$(COMPILE) .ci/sbom.in -o .ci/sbom.lock
	$(COMPILE) --no-deps benchmarks/datasets.in -o benchmarks/datasets.lock

clean:
	rm -rf $(VENV) var .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .cache
