# Two commands: `make demo` and `make test`. Both work in a fresh clone, and leave everything below this folder.
# Variables: PYTHON (the interpreter to build on), NIGHT (where the demo puts its night), FUZZ_SECONDS (how long
# `make fuzz` lasts), SOAK_SECONDS and SOAK_SEED (of `make soak`), PEERS (who takes part in `make bench`, see
# benchmarks/handover/step.py), MINUTES (how long its contests last), PYTEST_JOBS (how many Python tests run at a time).

PYTHON ?= python3
NIGHT ?= demo-night
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 120
SOAK_SEED ?=
MINUTES ?= 15
# One more than there are cores, since tests of runs mostly wait; many at a time would need much memory.
PYTEST_JOBS ?= $(shell cores=$$(nproc); echo $$((cores < 5 ? cores + 1 : 6)))
VENV := .venv
PIP := python -m pip --disable-pip-version-check --no-input
BUILD_TOOLS := "scikit-build-core>=0.11" "pybind11>=2.13" "cython>=3.0" "numpy>=2.0" "cmake>=3.25" "ninja>=1.10"

# Every recipe that uses the environment starts with this; the file has no effect on the caller's shell.
IN_VENV := . ./$(VENV)/environment &&
# An environment that is gone, was moved or belongs to another Python is made anew, whatever the time stamps say.
VENV_WORKS := $(shell $(PYTHON) tools/make_venv.py --check $(VENV) 2>/dev/null && echo yes)
# What the installed package is made of. Folders are listed too, so that a file's disappearance is seen.
SOURCES := $(shell find CMakeLists.txt pyproject.toml README.md LICENSE src python policy examples \
    -not -path '*__pycache__*' 2>/dev/null)

.DELETE_ON_ERROR:
.PHONY: demo test lint test-cpp test-asan test-tsan test-sanitizers test-python test-python-asan fuzz soak \
    bench bench-peers install dictionary-pages clean always

demo: install
	@$(IN_VENV) pex-harness demo --dir "$(NIGHT)"

# What is compiled goes on beside what waits for the package index or runs on one core; what is told, is told in whole.
test:
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint test-cpp test-tsan test-asan
	@$(MAKE) --no-print-directory test-python test-python-asan
	@echo "make: every test passed"

install: $(VENV)/installed

$(VENV)/tools: Makefile $(wildcard tools/*.py) $(if $(VENV_WORKS),,always)
	@echo "make: preparing $(VENV)"
	@$(PYTHON) tools/make_venv.py $(VENV)
	@$(IN_VENV) $(PIP) install -q $(BUILD_TOOLS) || { \
	    echo "make: the build tools cannot be installed: is the package index reachable?" >&2; exit 1; }
	@touch $@

# The package is installed as a user gets it (a wheel, no editable install), with what demo and tests need.
$(VENV)/installed: $(VENV)/tools $(SOURCES)
	@echo "make: building and installing the package"
	@$(IN_VENV) $(PIP) install -q --no-build-isolation ".[test]" || { \
	    echo "make: the package cannot be installed; the reason stands above" >&2; exit 1; }
	@touch $@

lint: install
	@$(IN_VENV) ruff check -q .
	@$(IN_VENV) mypy --no-error-summary

# Preset asan has the extension modules too; the others do not look at these.
WHERE_PYTHON_IS = --no-warn-unused-cli -Dpybind11_DIR="$$(python -m pybind11 --cmakedir)" \
    $${SKBUILD_CMAKE_DEFINE:+"-D$$SKBUILD_CMAKE_DEFINE"}
test-cpp test-asan test-tsan: test-%: $(VENV)/tools
	@echo "make: C++ tests, preset $*"
	@mkdir -p build
	@$(IN_VENV) { cmake --preset $* $(WHERE_PYTHON_IS) && cmake --workflow --preset $*; } > build/$*.log 2>&1 || { \
	    cat build/$*.log; echo "make: C++ tests failed; again: make test-$*" >&2; exit 1; }
	@grep 'tests passed' build/$*.log

test-sanitizers: test-asan test-tsan

# libFuzzer, from the texts of the rules; what it learns is kept in build/fuzz/corpus, an input that fails beside it.
FUZZER := build/fuzz/tests/fuzz/fuzz_policy
fuzz: $(VENV)/tools
	@command -v clang++ >/dev/null || { echo "make: fuzzing needs clang++ (Debian package clang)" >&2; exit 1; }
	@echo "make: fuzzing the policy room for $(FUZZ_SECONDS) s"
	@mkdir -p build/fuzz/corpus
	@$(IN_VENV) cmake --workflow --preset fuzz > build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
	@$(FUZZER) -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -dict=tests/fuzz/paf.dict \
	    -artifact_prefix=build/fuzz/ -print_final_stats=1 build/fuzz/corpus tests/policy_rules/cases \
	    > build/fuzz-run.log 2>&1 || { tail -60 build/fuzz-run.log; \
	    echo "make: a finding; again: $(FUZZER) build/fuzz/<the file named above>" >&2; exit 1; }
	@grep -E 'Done|average_exec' build/fuzz-run.log

# Kills processes of a run at random moments; docs/design/faults.md. What was found is kept where it says.
soak: install
	@$(IN_VENV) python tests/soak/soak.py --seconds $(SOAK_SECONDS) $(if $(SOAK_SEED),--seed $(SOAK_SEED))

# Each process begins with a part of the list, so that what a module's tests share is made once, and then helps out.
PYTEST := -m pytest -q -n $(PYTEST_JOBS) --dist worksteal
test-python: install
	@$(IN_VENV) python $(PYTEST)

# What touches shared memory, and deaths at fault points, under the address and undefined behaviour sanitizers; with fewer seeds, for runs are slower.
# Left out: a control group too small for the sanitizer's own memory, and hundreds of copies of its page tables.
SANITIZED_TESTS := $(addprefix tests/unit/test_,arrays.py births.py births_fork.py clipboard.py log_plain.py \
    plain_arrays.py) \
    $(addprefix tests/runs/test_,born_shared.py births.py compiled_stage.py copies.py embedding.py exchange.py \
    fault_points.py keys.py machines.py odd_crossings.py riding.py sharing.py stress.py transport.py)
NOT_SANITIZED := -k 'not control_group_that_fills_up and not more_forks_than'
test-python-asan: install test-asan
	@echo "make: Python tests on the extension modules of preset asan"
	@$(IN_VENV) STRESS_SEEDS=0:5 python tools/sanitized_python.py build/asan $(PYTEST) $(NOT_SANITIZED) \
	    $(SANITIZED_TESTS)

# Every benchmark program; contests have shares of MINUTES, other programs take what they need. Peers that are not installed are left out, and named.
bench: install
	@mkdir -p build
	@$(IN_VENV) cmake --preset cpp > build/bench-build.log 2>&1 && \
	    cmake --build --preset cpp --target bare parse_paf spans >> build/bench-build.log 2>&1 || { \
	    cat build/bench-build.log; exit 1; }
	@$(IN_VENV) python benchmarks/run_all.py build/benchmarks.md --core build/cpp/benchmarks/parse_paf \
	    --minutes $(MINUTES) $(if $(PEERS),--peers $(PEERS))
	@echo "make: the results are in build/benchmarks.md"

# pipetask has an environment of its own: its packages have the names of those that our lsst paths stand beside.
bench-peers: install
	@$(IN_VENV) $(PIP) install -q --no-build-isolation ".[bench]"
	@$(PYTHON) tools/make_venv.py build/pipetask
	@. ./build/pipetask/environment && $(PIP) install -q "lsst-ctrl-mpexec>=30"

# The pages in docs/dictionaries say what the dictionaries in policy say; a test compares them.
dictionary-pages: install
	@mkdir -p docs/dictionaries
	@$(IN_VENV) for file in policy/*.paf; do \
	    pex-harness policy describe $$file -o docs/dictionaries/$$(basename $$file .paf).md || exit 1; done

clean:
	rm -rf build dist $(VENV) "$(NIGHT)"

always:
