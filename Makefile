# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= runs/demo
# Real data, where it is there: tests that need it skip otherwise.
DRIFA_DATA ?= $(if $(wildcard ../shared/data),$(abspath ../shared/data),)
export DRIFA_DATA

.PHONY: demo test test-all lint docs bench quick clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      install into $(VENV), then data -> training -> evaluation -> report on the built-in study"
	@echo "make test      install, run the tests           make test-all  the slow ones too"
	@echo "make lint      ruff, mypy, order of the layers   make docs      build the pages into site/"
	@echo "make quick     the question of results/quick, by drifa compare (about an hour on two cores; needs DRIFA_DATA)"
	@echo "make bench     speed ratios of benchmarks/"

# torch, torchvision and timm are resolved in one call, so that their builds match.
$(BIN)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,docs]"
	touch $@

demo: $(BIN)/.installed
	rm -rf $(DEMO)
	$(BIN)/drifa demo --out $(DEMO)

test: $(BIN)/.installed
	$(BIN)/python -m pytest -m "not slow and not gpu" -n 2

test-all: $(BIN)/.installed
	$(BIN)/python -m pytest -n 2

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py tests/test_mirror.py

docs: $(BIN)/.installed
	$(BIN)/mkdocs build --strict

bench: $(BIN)/.installed
	$(BIN)/python benchmarks/mc_dropout.py
	$(BIN)/python benchmarks/training_step.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/attention.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/batches.py
	$(BIN)/python benchmarks/compare.py
	$(if $(FROZEN_WEIGHTS),$(BIN)/python benchmarks/frozen.py --weights $(FROZEN_WEIGHTS))
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/serve_load.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/export.py

quick: $(BIN)/.installed
	[ -d studies/ham10000 ] || $(BIN)/drifa data prepare ham10000 "$$DRIFA_DATA/ham10000" --out studies/ham10000
	[ -d studies/sipakmed ] || $(BIN)/drifa data prepare sipakmed "$$DRIFA_DATA/sipakmed" --out studies/sipakmed
	$(BIN)/drifa compare configs/experiments/quick.yaml --out runs/quick --jobs 2

clean:
	rm -rf $(VENV) runs studies site .cache
