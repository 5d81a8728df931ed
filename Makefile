# Needs Python 3.11 or newer with pip and venv, make, and (for the fast path) a C++ compiler.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := out/demo
EXTRAS := nerfstudio,open-clip,viewer,colmap,video,spz,masks,depth-anything,dev

# Passive waiting: threads that spin for work slow every other process on a small machine.
export OMP_WAIT_POLICY ?= passive

.PHONY: setup demo test lint format clean

setup: $(VENV)/.ready

# torch and torchvision are named here although they are dependencies: with the constraints this keeps the versions that
# install together, where pip alone would fetch the newest CUDA build.
$(VENV)/.ready: pyproject.toml setup.py constraints.txt $(wildcard s3d_splat/native/*.cpp s3d_splat/native/*.h)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch torchvision --editable ".[$(EXTRAS)]"
	touch $@

# The walk-through of the README: a room, the main job, numbers, a report. What is there already is not made again.
demo: $(DEMO)/run/report.html
	@echo "open $(DEMO)/run/report.html; the numbers are in $(DEMO)/run/metrics.json"

$(DEMO)/scene/transforms.json: | setup
	$(BIN)/s3d-splat synth $(DEMO)/scene

$(DEMO)/run/instances.npz: $(DEMO)/scene/transforms.json | setup
	$(BIN)/ns-train scale3d-splat --data $(DEMO)/scene --run-folder $(DEMO)/run

$(DEMO)/run/report.html: $(DEMO)/run/instances.npz | setup
	$(BIN)/s3d-splat evaluate run $(DEMO)/run

test: setup
	$(BIN)/python -m pytest --ignore tests/viewer
	$(BIN)/python -m pytest tests/viewer  # a server and a browser that share a process with nothing else

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf out build
