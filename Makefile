# Two commands: `make demo` and `make test`. Both work in a fresh clone and leave everything below this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
BUILD_TOOLS := "scikit-build-core>=0.11" "pybind11>=2.13" "cython>=3.0" "cmake>=3.22" "ninja>=1.10" wheel
CMAKE := $(BIN)/cmake
JOBS := $(shell nproc)
NIGHT ?= demo-night

.PHONY: demo test test-cpp test-sanitizers test-python lint venv tools install wheel clean

demo: install
	$(BIN)/pex-harness demo --dir $(NIGHT)

test: test-cpp test-sanitizers test-python

venv:
	$(PYTHON) tools/make_venv.py $(VENV)

tools: venv
	$(PIP) install -q $(BUILD_TOOLS)

# Installs the package as a user would get it (no editable install), with what the demo and the tests need.
install: tools
	PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) install -q --no-build-isolation ".[test]"

define run_cpp_tests
	PATH="$(CURDIR)/$(BIN):$$PATH" $(CMAKE) -S . -B build/$(1) -G Ninja -DPEX_BUILD_PYTHON=OFF -DPEX_BUILD_TESTS=ON \
	    -DCMAKE_BUILD_TYPE=$(2) -DPEX_SANITIZE="$(3)" > build-$(1).log 2>&1 || { cat build-$(1).log; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" $(CMAKE) --build build/$(1) -j $(JOBS)
	$(BIN)/ctest --test-dir build/$(1) --output-on-failure
	rm -f build-$(1).log
endef

test-cpp: tools
	$(call run_cpp_tests,cpp,Release,)

test-sanitizers: tools
	$(call run_cpp_tests,asan,RelWithDebInfo,address$(comma)undefined)
	$(call run_cpp_tests,tsan,RelWithDebInfo,thread)

comma := ,

test-python: install
	$(BIN)/python -m pytest

lint: tools
	$(PIP) install -q ruff mypy
	$(BIN)/ruff check python tests examples tools

wheel: tools
	$(PIP) install -q build
	$(BIN)/python -m build

clean:
	rm -rf build dist $(VENV) $(NIGHT)
