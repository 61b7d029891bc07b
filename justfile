# The commands of this project: `just` lists them. `just` comes with .[dev]; each recipe is also a line to type.

python := if path_exists(".venv/bin/python") == "true" { ".venv/bin/python" } else { "python3" }

_list:
    @just --list --unsorted

# Make .venv with everything that the other recipes need (compiles: about two minutes on two cores)
setup:
    python3 -m venv .venv
    .venv/bin/pip install -q -e '.[dev]'

# Compile again after a change of a .pyx, .pxd or .h file
build:
    {{python}} setup.py -q build_ext --inplace

# The tests to run first and often: 30 seconds on two cores
quick *words:
    PYTHON={{python}} bash .ci/quick {{words}}

# All tests, with samples of the large matrices; RDBTOOL_SAMPLES=all CRASH_POINTS=all for everything
test *words:
    {{python}} -m pytest -q -n 2 {{words}}

# The lines of Python that the quick tests run; fails below 90 %
coverage:
    PYTHON={{python}} bash .ci/quick --cov=rdbtool --cov-fail-under=90 --cov-report=term:skip-covered

# Style
lint:
    {{python}} -m ruff check .
    {{python}} -m ruff format --check .

# Types
types:
    {{python}} -m mypy --strict
    {{python}} -m mypy --strict examples/*.py

# Write man pages, completions and pages of commands anew
docs:
    {{python}} -m rdbtool.cli.man man
    {{python}} -m rdbtool.cli.completion completions
    {{python}} -m rdbtool.cli.reference docs/commands

# Build a wheel into dist/, and check what is in it
wheel:
    PYTHON={{python}} bash .ci/wheel

# Build with AddressSanitizer and UndefinedBehaviorSanitizer in a copy, and run the tests of compiled code there
sanitize *words:
    PYTHON={{python}} bash .ci/sanitize {{words}}

# Fuzz one of: rdb packed stream lzf aof manifest jsonl (needs clang); runs=merge keeps the least of the corpus in fixtures/fuzz
fuzz target runs="1000000":
    PYTHON={{python}} bash .ci/fuzz {{target}} {{runs}}

# How fast is it?
bench *words:
    {{python}} benchmarks/run.py {{words}}

# Does anything take more instructions than recorded? (needs valgrind)
instructions *words:
    {{python}} benchmarks/instructions.py {{words}}
