# Everything here works on a fresh clone: the environment and the build are made on first use and
# kept in .venv and build/ until something they depend on changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check

CPP_FILES := $(shell find csrc -name '*.cpp' -o -name '*.hpp')
CORE_SOURCES := pyproject.toml CMakeLists.txt $(CPP_FILES)

# Editable, so that a change of a Python file needs no second build. The environment holds the
# build requirements itself, so that a change of a C++ file compiles that file only.
INSTALL := $(PIP) install -qq --no-build-isolation --editable '.[io,plot]' $(SETTINGS)

# Builds with sanitizers: an environment and a build directory of their own. The runtime has to be
# loaded before Python, which itself leaks on purpose.
comma := ,
SANITIZED := build/sanitize
sanitized_build = $(MAKE) build VENV=$(SANITIZED)/$(1) SETTINGS="\
	--config-settings=build-dir=$(SANITIZED)/$(1)/cmake \
	--config-settings=cmake.define.FRACMOMENT_SANITIZE=$(2)"
sanitized_pytest = LD_PRELOAD="$$($(CXX) -print-file-name=$(2)) \
	$$($(CXX) -print-file-name=libstdc++.so.6)" OPENBLAS_NUM_THREADS=1 \
	$(SANITIZED)/$(1)/bin/python -m pytest -p no:cacheprovider
# The tests of whatever runs C++ code.
CORE_TESTS := tests --ignore=tests/certified --ignore-glob='tests/test_cli_*' \
	--ignore-glob='tests/test_networks_*' --ignore-glob='tests/test_examples_*' \
	--ignore=tests/test_documents.py --ignore=tests/frameworks

.PHONY: all build demo training test test-frameworks check bench docs dist sanitize sanitize-address sanitize-thread format clean
all: build

build: $(VENV)/.built

$(VENV)/.environment: pyproject.toml
	@echo "== environment in $(VENV)"
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) install -qq --upgrade 'pip>=25.1'  # the first that knows dependency groups
	$(PIP) install -qq --group build --group test --group lint
	@touch $@

$(VENV)/.built: $(VENV)/.environment $(CORE_SOURCES)
	@echo "== building"
	$(INSTALL)
	@touch $@

# The same build with warnings as errors, which serves the other targets as well.
$(VENV)/.built-strict: $(VENV)/.environment $(CORE_SOURCES)
	@echo "== building, warnings are errors"
	$(INSTALL) --config-settings=cmake.define.FRACMOMENT_WERROR=ON
	@touch $@ $(VENV)/.built

demo: $(VENV)/.built
	$(PY) examples/demo.py

training: $(VENV)/.built
	$(PY) -m examples.training

test: $(VENV)/.built-strict check
	@echo "== tests and docstring examples"
	$(BIN)/pytest -n auto --dist worksteal

# Torch, JAX, Flax, Keras and others take 1.6 GB and about a minute, hence the target of its own.
$(VENV)/.frameworks: $(VENV)/.environment
	@echo "== frameworks in $(VENV)"
	$(PIP) install -qq --group frameworks
	@touch $@

test-frameworks: $(VENV)/.built $(VENV)/.frameworks
	@echo "== tests of the adapters, with the frameworks themselves"
	$(BIN)/pytest -n auto --dist worksteal -m frameworks tests/frameworks

check: $(VENV)/.built-strict
	@echo "== formatting and static checks"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/clang-format --dry-run --Werror $(CPP_FILES)
	$(BIN)/mypy
	$(BIN)/stubtest --mypy-config-file pyproject.toml fracmoment._core

sanitize: sanitize-address sanitize-thread

sanitize-address:
	@echo "== the core under the address and undefined behaviour sanitizers"
	$(call sanitized_build,address,address$(comma)undefined)
	ASAN_OPTIONS=detect_leaks=0 $(call sanitized_pytest,address,libasan.so) $(CORE_TESTS)

sanitize-thread:
	@echo "== what runs in several threads under the thread sanitizer"
	$(call sanitized_build,thread,thread)
	TSAN_OPTIONS=halt_on_error=1 $(call sanitized_pytest,thread,libtsan.so) $(CORE_TESTS) -k thread

# BENCH has more options: make bench BENCH='--compare out/old.json'.
bench: $(VENV)/.built
	$(PY) -m benchmarks --out out/benchmarks $(BENCH)

# The site of docs/ in build/site. Warnings are errors: a link that leads nowhere is one.
$(VENV)/.docs: $(VENV)/.environment
	$(PIP) install -qq --group docs
	@touch $@

# The pictures of the gallery, drawn again when the code of figures changes.
FIGURE_SOURCES := $(shell find fracmoment/figures fracmoment/plotting -name '*.py')
docs/pictures/.drawn: $(FIGURE_SOURCES) | $(VENV)/.built
	@echo "== pictures of the gallery"
	$(BIN)/fracmoment figures --out docs/pictures
	@touch $@

docs: $(VENV)/.built $(VENV)/.docs docs/pictures/.drawn
	$(BIN)/sphinx-build --fail-on-warning --keep-going -q -j auto docs build/site
	$(BIN)/fracmoment verify --quick --report build/site/statements-report
	$(PY) -m benchmarks --quick --out build/site/benchmark-board > /dev/null
	@echo "build/site/index.html"

# A source distribution, the wheel made from it alone, and the smoke test of that wheel in an
# environment that holds nothing but what the wheel asks for.
DIST_TEST := build/dist-test
dist: $(VENV)/.environment
	$(PIP) install -qq --group dist
	rm -rf dist $(DIST_TEST)
	$(PY) -m build --outdir dist .
	$(PYTHON) -m venv $(DIST_TEST)
	$(DIST_TEST)/bin/python -m pip --disable-pip-version-check install -qq dist/*.whl pytest
	cd $(DIST_TEST) && bin/pytest --noconftest -p no:cacheprovider ../../tests/test_smoke.py

format: $(VENV)/.environment
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(CPP_FILES)

clean:
	rm -rf $(VENV) build dist docs/api docs/pictures out .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
