# Two commands, each sets up everything that it needs:
#   make sheet   a sheet of twenty cats in out.svg
#   make test    all checks and tests, every benchmark once
# and for those who work on it:
#   make quick   lint, and the tests that are done in a minute
#   make lint, make format, make bench, make docs, make coverage
#   make fuzz    tens of thousands of hostile inputs; COUNT=500 for so many of each kind
PYTHON ?= python3
PACKAGE := pyproject.toml $(shell find vpype_sketchformer -name '*.py' -o -name '*.safetensors')
DEV := .venv-test/bin
# The tests of one file stay together: they share what was trained for them. One process more
# than there are processors, since those that wait for a machine or a browser leave theirs idle.
PYTEST := OMP_NUM_THREADS=1 $(DEV)/pytest
PARALLEL = -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadfile
QUICK := tests/test_sketch.py tests/layout tests/model/test_sampling.py \
	tests/model/test_transformer.py tests/training/test_download.py tests/test_docs.py

.PHONY: sheet test lint format quick bench docs coverage fuzz

sheet: .venv/ready
	.venv/bin/vpype sketchgen -n 20 --class cat grid 5 4 linesort write out.svg
	@echo "Twenty cats are in out.svg."

test: .venv/ready lint docs
	.venv/bin/python tests/import_all.py
	$(PYTEST) $(PARALLEL) --override-ini addopts=-q --benchmark-disable

lint: .venv-test/ready
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy vpype_sketchformer training

format: .venv-test/ready
	$(DEV)/ruff check --fix .
	$(DEV)/ruff format .

quick: lint
	$(PYTEST) $(PARALLEL) $(QUICK)

bench: .venv-test/ready
	$(DEV)/pytest tests/benchmarks --benchmark-only

# The site, in site/; a link that leads nowhere fails.
docs: .venv-test/ready
	NO_MKDOCS_2_WARNING=1 $(DEV)/mkdocs build --quiet --strict

coverage: .venv-test/ready
	$(PYTEST) $(PARALLEL) --ignore tests/benchmarks --cov --cov-report term --cov-report xml

# With atheris, where it can be had, inputs are bred for reaching new code as well.
fuzz: .venv-test/ready
	-$(DEV)/pip install --quiet atheris
	$(DEV)/python -m tests.hostile.fuzz $(or $(COUNT),10000)

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
	# It carries axe-core; the browser that it drives is not needed.
	.venv-test/bin/pip install --quiet --no-deps axe-playwright-python==0.1.8
	touch $@
