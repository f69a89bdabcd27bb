# All set-up happens in .venv; stamp files in it say what is done, so a second call is offline.
#   make demo | test | check | dev | test-all | runtime | sanitize | bench | golden | sz | clean     make test T=quant: one room
#   make aarch64 | cortex-m | warnings | fuzz: the runtime for ARM, for small boards, read by clang, against hostile files
#   (packages: .ci/run)

PYTHON ?= python3
T ?=
M ?= slow
JOBS := 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
CMAKE := $(or $(shell command -v cmake 2>/dev/null),$(BIN)/cmake)
CTEST := $(or $(shell command -v ctest 2>/dev/null),$(BIN)/ctest)
NATIVE := CMakeLists.txt $(shell find runtime/src runtime/include bindings runtime/CMakeLists.txt -type f 2>/dev/null)
CXX_FILES = $(shell find runtime bindings -type f \( -name '*.cc' -o -name '*.c' -o -name '*.h' -o -name '*.inl' \))
TESTS := tests$(if $(T),/$(T))
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.NOTPARALLEL:
.PHONY: help dev check format test test-slow test-all runtime sanitize aarch64 cortex-m warnings fuzz bench golden demo sz clean no-nvidia

help:
	@sed -n '2,4p' Makefile

# --- set-up -----------------------------------------------------------------------------------------------------------

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# One resolve with everything in it: a torch installed on its own would bring gigabytes of CUDA packages.
$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -q -c constraints.txt -e ".[train,dev]"
	@touch $(VENV)/.base $@

# The field side alone, without PyTorch; also what rebuilds the extension after a change in C++.
$(VENV)/.base: pyproject.toml constraints.txt $(NATIVE) | $(BIN)/python
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

$(BIN)/cmake: | $(BIN)/python
	$(PIP) install -q cmake ninja

dev: $(VENV)/.dev $(VENV)/.base

# --- daily loop -------------------------------------------------------------------------------------------------------

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

# One process per core with one thread each: small networks gain little from more threads.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TESTS) -q -n $(JOBS) --dist worksteal

test: dev no-nvidia
	$(PYTEST) -m "not slow"

test-slow: dev
	$(PYTEST) -m "$(M)" || [ $$? -eq 5 ]

test-all: no-nvidia runtime sanitize test test-slow

# On a machine without a GPU no CUDA package may have come in.
no-nvidia: dev
	@if ! command -v nvidia-smi >/dev/null 2>&1 && $(PIP) list --format=freeze | grep -i '^nvidia-'; then \
	  echo "no nvidia-* package on a CPU machine; received the list above." \
	       "Point pip at an index with CPU builds of torch (PIP_EXTRA_INDEX_URL), then: rm -rf $(VENV)" >&2; exit 1; fi

# --- the C++ runtime alone --------------------------------------------------------------------------------------------

runtime: | $(CMAKE)
	$(CMAKE) -S runtime -B build/runtime -DCMAKE_BUILD_TYPE=Release
	$(CMAKE) --build build/runtime -j$(JOBS)
	$(CTEST) --test-dir build/runtime --output-on-failure

sanitize: | $(CMAKE)
	$(CMAKE) -S runtime -B build/asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DAOIENET_SANITIZE=ON
	$(CMAKE) --build build/asan -j$(JOBS)
	$(CTEST) --test-dir build/asan --output-on-failure

# The same tests on 64-bit ARM, by qemu, and the random networks of tests/engine with the logits of the interpreter.
# `hostile` opens 146,000 files, which is slow there; the corpus is not.
aarch64: dev | $(CMAKE)
	$(CMAKE) -S runtime -B build/aarch64 -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DCMAKE_BUILD_TYPE=Release
	$(CMAKE) --build build/aarch64 -j$(JOBS)
	$(CTEST) --test-dir build/aarch64 --output-on-failure -E hostile
	$(BIN)/python tests/engine/write_golden.py build/aarch64/golden
	qemu-aarch64 -L /usr/aarch64-linux-gnu build/aarch64/test_golden build/aarch64/golden

# One block of the crack scanner and the golden pictures on a Cortex-M4 and M7 without a heap, by qemu.
BOARD_MODEL := $(CURDIR)/src/aoienet/weights/crack_blocks.aoie
cortex-m: | $(CMAKE)
	$(CMAKE) -S runtime -B build/runtime -DCMAKE_BUILD_TYPE=Release
	$(CMAKE) --build build/runtime -j$(JOBS) --target write_golden
	build/runtime/write_golden $(BOARD_MODEL) runtime/tests/golden/scan.golden 64 64 build/crack_blocks.golden
	$(CMAKE) -S runtime/cortex-m -B build/cortex-m -DCMAKE_TOOLCHAIN_FILE=../cmake/cortex-m.cmake \
	  "-DAOIENET_BOARD_CASES=crack_blocks=$(BOARD_MODEL)=$(CURDIR)/build/crack_blocks.golden"
	$(CMAKE) --build build/cortex-m -j$(JOBS)
	$(CTEST) --test-dir build/cortex-m -V

# What clang warns of and gcc does not. Nothing is built, so one machine that has every instruction set does for all units.
warnings:
	find runtime/src runtime/tests runtime/fuzz -name '*.cc' ! -name neon.cc -print0 | xargs -0 -n 8 -P $(JOBS) clang++ \
	  -std=c++17 -fsyntax-only -march=icelake-server -Wall -Wextra -Wconversion -Werror -DAOIE_X86=1 -DAOIENET_FUZZ=1 \
	  -Iruntime/include -Iruntime/src

# The reader of model files under libFuzzer: the kept corpus, the hostile files, and what comes of them in FUZZ_S seconds.
FUZZ_S ?= 60
fuzz: dev | $(CMAKE)
	$(CMAKE) -S runtime -B build/fuzz/bin -DCMAKE_BUILD_TYPE=RelWithDebInfo -DAOIENET_FUZZ=ON -DAOIENET_TESTS=OFF \
	  -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
	$(CMAKE) --build build/fuzz/bin -j$(JOBS)
	$(BIN)/python tests/deploy/write_corpus.py build/fuzz/seeds
	@mkdir -p build/fuzz/corpus
	ASAN_OPTIONS=quarantine_size_mb=4 build/fuzz/bin/fuzz_open -dict=runtime/fuzz/aoie.dict -max_len=9600 \
	  -max_total_time=$(FUZZ_S) -artifact_prefix=build/fuzz/found- -print_final_stats=1 \
	  build/fuzz/corpus runtime/tests/corpus build/fuzz/seeds

# --- results ----------------------------------------------------------------------------------------------------------

bench: dev
	$(BIN)/python benchmarks/runtime.py

golden: dev
	$(BIN)/python tests/golden/make.py

demo: $(VENV)/.base
	$(BIN)/aoienet demo --out demo_out --overwrite
	@echo "Look at demo_out/report.html, demo_out/overlay.tif and demo_out/defects.csv (one line per crack)."

# Lines per room: what can go?
sz:
	@for room in src/aoienet/*/ runtime/*/ bindings tests benchmarks experiments docs; do \
	  [ -d $$room ] || continue; \
	  printf '%7d  %s\n' $$(find $$room -type f \( -name '*.py' -o -name '*.cc' -o -name '*.c' -o -name '*.h' -o -name '*.inc' \
	    -o -name '*.md' \) -exec cat {} + | wc -l) $$room; done
	@printf '%7d  %s\n' $$(cat src/aoienet/*.py | wc -l) 'src/aoienet/*.py'

clean:
	rm -rf build dist demo_out htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
