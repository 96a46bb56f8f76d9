# make demo: train on handwritten digits.   make test: everything that is promised, checked.
# Both build the package into .venv; all they need is python3 (3.10+, with venv), g++ 11+ and make.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(shell find csrc cuda python -type f -not -name '*.pyc') CMakeLists.txt pyproject.toml

.PHONY: demo test bench dev lint format wheel clean

demo: .venv/with-viz
	$(BIN)/baregrad demo

test: .venv/with-test
	$(BIN)/pytest

bench: .venv/with-test
	$(BIN)/pytest bench

# Editable: a change of Python is there at once, one of C++ or CUDA is built at the next import.
dev: .venv/pip
	$(BIN)/pip install -q "scikit-build-core>=1.1" "pybind11>=3.1" cmake ninja
	$(BIN)/pip install -q --no-build-isolation -Ceditable.rebuild=true -Cbuild-dir=build/dev \
	  -Ccmake.define.BAREGRAD_WERROR=ON -e ".[viz,test,lint]"
	rm -f .venv/with-*

lint: .venv/with-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	find csrc cuda tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \
	  | xargs $(BIN)/clang-format --dry-run --Werror

format: .venv/with-lint
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	find csrc cuda tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \
	  | xargs $(BIN)/clang-format -i

wheel: dist/built

clean:
	rm -rf .venv build dist

.venv/pip:
	$(PYTHON) -m venv .venv
	touch $@

dist/built: .venv/pip $(SOURCES)
	rm -rf dist
	$(BIN)/pip wheel -q --no-deps --wheel-dir dist .
	touch $@

# The wheel, then what the extra adds to it.
.venv/with-%: dist/built
	$(BIN)/pip install -q --force-reinstall --no-deps dist/*.whl
	$(BIN)/pip install -q "$$(echo dist/*.whl)[$*]"
	touch $@
