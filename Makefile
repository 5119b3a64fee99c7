# make demo   two minutes of training on drawn heads of animals, and what to look at
# make test   everything that must hold before a change goes in; `make slow` adds the long tests
# PYTHON=...  names the interpreter to make the environment with, 3.11 or newer; otherwise one is looked for

export DEMO_DATA ?= builtin:critters
export DEMO_OPTIONS ?= --minutes 2 --size 32
export DEMO_FOLDER ?= runs/demo
export PYTHON ?=

STAMP := .venv/.steadygan-ready

.PHONY: demo setup test slow clean

demo: $(STAMP)
	@scripts/demo

setup: $(STAMP)

test: $(STAMP)
	@scripts/check
	@scripts/test

slow: $(STAMP)
	@scripts/test -m slow

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache

$(STAMP): requirements.lock pyproject.toml scripts/setup
	@scripts/setup
	@touch $(STAMP)
