# Two commands: `make run` sets everything up and runs the built-in configuration, `make test` sets up and tests.
VENV := .venv
CONFIG ?= config/tiny.yaml
CORES ?= all
PYTHON ?= python3
# The installed package holds a list of its modules, so a new or renamed one needs a new set-up; an edited one does not.
READY := $(VENV)/ready-$(shell find galclass -name '*.py' | LC_ALL=C sort | cksum | cut -d ' ' -f 1)
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: setup run test docs generate clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml CMakeLists.txt workflow/setup.sh $(shell find fortran -type f)
	PYTHON=$(PYTHON) sh workflow/setup.sh $(VENV)
	rm -f $(VENV)/ready-*
	touch $@

run: setup
	galclass check $(CONFIG)
	snakemake --cores $(CORES) --configfile $(CONFIG)
	@cat results/report/headline.txt

test: setup
	ruff check .
	ruff format --check .
	pytest

# The page on the configuration is made from its schema; a test fails when it is stale.
docs: setup
	python -c 'from galclass import config; print(config.document(), end="")' > docs/configuration.md

# The multipole expansions of gravity, order 4, as straight-line Fortran; a test fails when they are stale.
generate:
	$(PYTHON) fortran/generate/expansion.py 4 > fortran/src/expansion.f90

clean:
	rm -rf results build .snakemake
