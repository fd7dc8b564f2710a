# make demo: a picture; make test: every test; make check: lint, format, types.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROMPT ?= red apple

# The build backend is pinned with everything else: pip hands these on to the build's own environment.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := $(PIP_CONSTRAINT)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SOURCES := $(shell find src -type f -not -path '*/__pycache__/*' -not -path '*.egg-info/*')
# An editable install with the test tools serves the demo too.
INSTALLED := $(if $(wildcard $(VENV)/dev.stamp),$(VENV)/dev.stamp,$(VENV)/demo.stamp)

.PHONY: demo test check clean

demo: $(INSTALLED)
	mkdir -p outputs
	$(BIN)/bluerider generate "$(PROMPT)" --seed 7 -o outputs/demo.png

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist

$(VENV)/created.stamp:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/demo.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt $(SOURCES)
	rm -rf build
	$(BIN)/python -m pip install -c constraints.txt .
	touch $@

$(VENV)/dev.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $@
