# make demo: train on handwritten digits.   make test: everything that is promised, checked.
# Both build the package into .venv; all they need is python3 (3.10+, with venv), g++ 11+ and make.

PYTHON ?= python3
BIN := .venv/bin
DEV := .venv-dev/bin
SOURCES := $(shell find csrc cuda python -type f -not -name '*.pyc') CMakeLists.txt pyproject.toml
# 1980, when zip files begin: the same bytes from every build.
export SOURCE_DATE_EPOCH ?= 315532800
FORMATTED = $$(find csrc cuda tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh')

.PHONY: demo test deep bench dev lint format wheel cuda clean

demo: .venv/with-viz
	$(BIN)/baregrad demo

# Two files at a time: many tests wait for a compiler, or for a child.
test: .venv/with-test
	$(BIN)/pytest -n 2 --dist loadfile

deep: .venv/with-test .venv/with-deep-tools
	cd tests && ../$(BIN)/python -m deep.prove

# On a machine that does nothing else: it took an hour. Results are kept in bench/results.
bench: .venv/with-test .venv-bench/ready
	$(BIN)/pytest bench
	$(BIN)/python bench/peak.py --save
	$(BIN)/python bench/ladder.py --save
	$(BIN)/python bench/race.py --python $(CURDIR)/.venv-bench/bin/python --save
	$(BIN)/python bench/race.py --python $(CURDIR)/.venv-bench/bin/python --save --sizes
	$(BIN)/python bench/race.py --plot

# An environment of its own, .venv-dev, where the package is editable: a change of Python is there at
# once, one of C++ or CUDA is built at the next import. Then: .venv-dev/bin/pytest
dev:
	$(PYTHON) -m venv .venv-dev
	$(DEV)/pip install -q "scikit-build-core>=1.1" "pybind11>=3.1" cmake ninja
	$(DEV)/pip install -q --no-build-isolation -Ceditable.rebuild=true -Ceditable.verbose=false \
	  -Cbuild-dir=build/dev -Ccmake.define.BAREGRAD_WERROR=ON -e ".[viz,test]"

lint: .venv/tools
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(FORMATTED)

format: .venv/tools
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(FORMATTED)

wheel: dist/repaired

# The wheel with _cuda in it, for which nvcc has to be here, but no GPU.
cuda: .venv/tools
	$(BIN)/pip install -q --group wheel
	rm -rf build/cuda dist
	CMAKE_ARGS="$$CMAKE_ARGS -DBAREGRAD_CUDA=ON" $(BIN)/pip wheel -q --no-deps --wheel-dir build/cuda .
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir dist build/cuda/*.whl
	@test $$(stat -c %s dist/*.whl) -lt 5000000 || { echo "the wheel has 5 MB or more"; exit 1; }

clean:
	rm -rf .venv .venv-bench .venv-dev build dist

.venv/pip:
	$(PYTHON) -m venv .venv
	touch $@

# Those whom we race, who need not share an environment with us.
.venv-bench/ready: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install -q "pip>=25.1"
	.venv-bench/bin/pip install -q --group yardsticks
	touch $@

.venv/tools: .venv/pip pyproject.toml
	$(BIN)/pip install -q "pip>=25.1"
	$(BIN)/pip install -q --group lint
	touch $@

# What only tests/deep needs.
.venv/with-deep-tools: .venv/tools pyproject.toml
	$(BIN)/pip install -q --group deep --group parity --group wheel
	touch $@

build/wheel/built: .venv/pip $(SOURCES)
	@echo "Compiling the kernels: a minute or two on two cores."
	rm -rf build/wheel
	$(BIN)/pip wheel -q --no-deps --wheel-dir build/wheel .
	touch $@

# With its OpenMP library inside, so that it runs on other machines.
dist/repaired: build/wheel/built .venv/tools
	$(BIN)/pip install -q --group wheel
	rm -rf dist
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir dist build/wheel/*.whl
	touch $@

# The wheel, then what the extra adds to it.
.venv/with-%: build/wheel/built
	$(BIN)/pip install -q --force-reinstall --no-deps build/wheel/*.whl
	$(BIN)/pip install -q "$$(echo build/wheel/*.whl)[$*]"
	touch $@
