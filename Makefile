# The commands of the house. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
# trl stands apart, because it wants other versions than ours.
TRL := var/bench/trl
# One more than there are cores: a quarter of the tests' time goes by while they wait for servers, browsers and clocks.
JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
RUN := $(VENV)/bin/python
STYLE := $(RUN) -m ruff check . && $(RUN) -m ruff format --check .
TYPES := $(RUN) -m mypy labelsite ml manage.py
BENCH := $(filter-out __init__ %_worker train_gpu,$(basename $(notdir $(wildcard tests/benchmarks/*.py))))
PIP := $(RUN) -m pip --disable-pip-version-check install --no-compile --constraint constraints.txt
# What pip would do on one core; files that are none for this Python (templates, old tests) are passed over.
COMPILE := $(RUN) -m compileall -qq -j 0 $(VENV)/lib || true

# Hundreds of programs start under these commands; where this is set, each of them would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint install bench bench-trl bench-gpu attack clean
.DEFAULT_GOAL := help

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.has-ml ## start everything on this machine; PORT= and VAR= choose port and folder
	@exec $(RUN) -m labelsite.embedded.demo

install: $(VENV)/.has-all ## make .venv with every extra

# mypy takes one core for a minute: it runs beside the tests, stops them where it finds a fault, and has the last word.
test: $(VENV)/.has-all ## check the style, then run all tests beside mypy, JOBS= at once
	@$(STYLE)
	@types=$$(mktemp -d); { $(TYPES) >$$types/said 2>&1 || { kill -INT $$(cat $$types/tests) 2>&-; false; }; } & \
	sh -c 'echo $$$$ >$$0; exec "$$@"' $$types/tests \
		$(RUN) -m pytest -n $(JOBS) --dist worksteal --durations=20; failed=$$?; \
	wait $$! || failed=1; cat $$types/said; rm -r $$types; exit $$failed

lint: $(VENV)/.has-all ## ruff and mypy
	@$(STYLE)
	@$(TYPES)

bench: $(VENV)/.has-all ## run the benchmarks of tests/benchmarks, or one: BENCH=search_trees
	@failed=0; for name in $(BENCH); do \
		echo "== $$name"; $(RUN) -m tests.benchmarks.$$name || failed=1; \
	done; exit $$failed

bench-trl: $(TRL)/.has-trl ## make trl's environment, which BENCH=train_throughput and train_learning compare with

# Both trainers run in one process: trl's packages come before ours.
bench-gpu: $(VENV)/.has-all $(TRL)/.has-trl ## compare with trl on a GPU, where there is one
	@PYTHONPATH=$$(echo $(TRL)/lib/python*/site-packages) $(RUN) -m tests.benchmarks.train_gpu

attack: $(VENV)/.has-all ## attack the sandbox, on an idle and on a crowded machine
	@$(RUN) -m tests.ml.execution.attacks
	@$(RUN) -m tests.ml.execution.attacks --oversubscribe

clean: ## remove .venv and caches; the data in var/ stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build dist
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
	@echo "removed .venv and caches; var/ was left alone"

# A stamp is newer than what it depends on exactly when the packages in .venv are the ones that these files name.
$(VENV)/.has-ml: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the pinned packages into $(VENV) (minutes at the first time)"
	@$(PIP) --editable '.[ml]'
	@$(COMPILE)
	@touch $@

$(VENV)/.has-all: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the pinned packages with every extra into $(VENV) (minutes at the first time)"
	@$(PIP) --editable '.[ml,dev]'
	@$(COMPILE)
	@touch $(VENV)/.has-ml $@

$(TRL)/.has-trl: tests/benchmarks/trl-requirements.txt | $(VENV)/bin/python
	@echo "Installing the pinned packages into $(TRL) (minutes at the first time)"
	@$(RUN) -m venv --clear $(TRL)
	@$(TRL)/bin/python -m pip --disable-pip-version-check install --requirement $<
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Misstep needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import shutil, sys; sys.exit(shutil.disk_usage(".").free < 3e9)' \
	|| { echo "The packages need 3 GB, with CUDA's libraries several more, and less than 3 GB is free here" >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
