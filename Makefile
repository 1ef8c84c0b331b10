# Each target does all the set-up it needs; all share one virtual environment, .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-peers stress coverage test-lowest lint types bench package clean

DEMO := build/demo
demo: $(READY)
	rm -rf $(DEMO)
	mkdir -p $(DEMO)
	$(BIN)/kolektor sample $(DEMO)/KolektorSDD
	$(BIN)/kolektor inspect $(DEMO)/KolektorSDD
	$(BIN)/kolektor convert $(DEMO)/KolektorSDD $(DEMO)/data
	$(BIN)/kolektor verify $(DEMO)/data --source $(DEMO)/KolektorSDD
	@echo 'Blurred masks with noise stand for the anomaly maps of a model:'
	$(BIN)/python tests/draw_maps.py $(DEMO)/data $(DEMO)/maps
	$(BIN)/kolektor score $(DEMO)/data $(DEMO)/maps
	$(BIN)/kolektor report $(DEMO)/data $(DEMO)/maps -o $(DEMO)/report.html
	$(BIN)/kolektor show $(DEMO)/data -o $(DEMO)/defects.png
	@echo
	@echo 'The picture of all defects is $(DEMO)/defects.png, the report $(DEMO)/report.html. Go on with:'
	@echo '    $(BIN)/kolektor docs'
	@echo '    $(BIN)/kolektor fetch kolektorsdd'
	@echo '    $(BIN)/kolektor convert KolektorSDD.zip data --dry-run'

PYTEST = $(BIN)/pytest -n logical --dist worksteal -rs

test: $(READY)
	@echo 'Five to eight minutes on two cores. Of the long series, a tenth; "make stress" tries all.'
	$(PYTEST)

stress: $(READY)
	@echo 'A minute on two cores: killed and interrupted at each step.'
	$(PYTEST) -m stress

# What needs PyTorch and Anomalib (several GB), in an environment of its own; one that has them, by
# make test-peers PEERS=path/to/environment.
PEERS ?= build/peers
test-peers:
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -c 'import anomalib, pytest' || \
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --editable '.[test,train]'
	$(PEERS)/bin/python -m pytest -m peers -rs tests/peers

coverage: $(READY)
	$(PYTEST) --cov --cov-fail-under=90

# The oldest versions that pyproject.toml allows, with the oldest Python that is here; another one by
# make test-lowest OLDEST=path/to/python3.10.
OLDEST ?= $(shell python3.10 -c '' 2>/dev/null && echo python3.10 || echo $(PYTHON))
test-lowest: $(READY)
	$(BIN)/uv venv --quiet --clear --no-python-downloads --python $(OLDEST) build/lowest
	$(BIN)/uv pip install --quiet --python build/lowest --resolution lowest-direct --editable '.[test]'
	build/lowest/bin/python --version
	build/lowest/bin/pytest -n logical --dist worksteal -rs

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo

types: $(READY)
	$(BIN)/mypy

# Compiled first, as pip does with what it installs for its users.
bench: $(READY)
	$(BIN)/python -m compileall -q kolektor_cli
	$(BIN)/python tests/bench.py $(if $(TIMES),--times $(TIMES)) $(if $(OWN),--own $(OWN))

# The source archive, and the wheel that is built from it, tried in an environment of its own.
package: $(READY)
	rm -rf build/package dist
	$(BIN)/uv build --quiet --python $(BIN)/python --out-dir dist
	$(PYTHON) -m venv build/package
	build/package/bin/pip install --quiet --disable-pip-version-check dist/*.whl
	build/package/bin/kolektor sample build/package/KolektorSDD --items 2
	build/package/bin/kolektor convert build/package/KolektorSDD build/package/data
	build/package/bin/kolektor verify build/package/data

$(READY): pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 10) or sys.exit("kolektor needs Python 3.10 or newer; $(PYTHON) is %d.%d. Try: make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=23'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
