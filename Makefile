# Two commands, each sets up everything that it needs:
#   make sheet   a sheet of twenty cats in out.svg
#   make test    the tests
PYTHON ?= python3
PACKAGE := pyproject.toml $(shell find vpype_sketchformer -name '*.py' -o -name '*.safetensors')

.PHONY: sheet test

sheet: .venv/ready
	.venv/bin/vpype sketchgen -n 20 --class cat grid 5 4 linesort write out.svg
	@echo "Twenty cats are in out.svg."

test: .venv/ready .venv-test/ready
	.venv/bin/python tests/import_all.py
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy vpype_sketchformer training
	.venv-test/bin/pytest
	.venv-test/bin/pytest tests/benchmarks --override-ini addopts=-q --benchmark-disable

# What an artist has: the plug-in alone, without torch.
.venv/ready: $(PACKAGE)
	$(PYTHON) -m venv .venv
	rm -rf build
	.venv/bin/pip install --quiet --force-reinstall --no-deps .
	.venv/bin/pip install --quiet .
	touch $@

# What a developer has.
.venv-test/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/pip install --quiet -c constraints.txt -e '.[training,dev]'
	touch $@
