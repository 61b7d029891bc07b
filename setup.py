"""Build of the compiled parts: the model's classes, the codec, the keyspace.

Everything declarative stands in pyproject.toml. This file exists because the codec's constants are
written from ``rdbtool/core/rdb_types.py``, the one table of opcodes and value types, before Cython runs.

``RDBTOOL_BUILD=sanitize`` builds with AddressSanitizer and UndefinedBehaviorSanitizer, ``RDBTOOL_BUILD=fuzz`` so that
a fuzzer sees which branches were taken (that needs ``CC=clang``): see CONTRIBUTING.md.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import sys
import sysconfig
import time
import tomllib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent

#: What is built for whom.
BUILD = os.environ.get("RDBTOOL_BUILD", "release")
SANITIZERS = "-fsanitize=address,undefined"
COMPILE_ARGS = {
    # Nobody debugs a wheel: with -g it would be three times as large. The tables for unwinding are a fifteenth of it.
    "release": ["-O3", "-g0", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"],
    "sanitize": ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined", SANITIZERS],
    "fuzz": ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=fuzzer-no-link"],
}
LINK_ARGS = {
    "release": ["-Wl,-s"] if sys.platform == "linux" else [],
    "sanitize": [SANITIZERS],
    "fuzz": ["-fsanitize=fuzzer-no-link"],
}

#: Commands that compile.
COMPILING = {"bdist_wheel", "build", "build_ext", "develop", "editable_wheel", "install"}

JOBS = os.cpu_count() or 1


def why_not() -> str | None:
    """Say in one sentence what a compilation would lack."""
    words = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    header = Path(sysconfig.get_path("include")) / "Python.h"
    lacking = [
        *([] if shutil.which(words[0]) else [f"a C compiler ({words[0]})"]),
        *([] if header.exists() else [f"Python's header files ({header})"]),
    ]
    if not lacking:
        return None
    name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
    return (
        f"{name}: to build it from source takes {' and '.join(lacking)}: install what is missing "
        "(Debian, Ubuntu: apt-get install gcc libc6-dev python3-dev; Alpine: apk add gcc musl-dev python3-dev; "
        "macOS: xcode-select --install), or a wheel, which is compiled already: "
        f"pip install --only-binary :all: {name}"
    )


def write_constants(target: Path) -> None:
    """Write the numbers of ``rdbtool/core/rdb_types.py`` as Cython enums."""
    # Build back ends run this file from elsewhere.
    sys.path.insert(0, str(ROOT))
    table = importlib.import_module("rdbtool.core.rdb_types")
    lines = ["# Written by setup.py from rdbtool/core/rdb_types.py.", "", "cdef enum:"]
    lines += [f"    TYPE_{row.name} = {row.code}" for row in table.VALUE_TYPES]
    lines += ["", "cdef enum:"]
    lines += [f"    OP_{row.name} = {row.code}" for row in table.OPCODES]
    lines += ["", "cdef enum:"]
    lines += [f"    SINCE_{row.name} = {row.since}" for row in (*table.VALUE_TYPES, *table.OPCODES)]
    lines += ["", "cdef enum:"]
    lines += [f"    KIND_{kind.upper()} = {number}" for number, kind in enumerate(table.KINDS)]
    lines += [
        "",
        "cdef enum:",
        f"    CHECKSUM_SINCE = {table.CHECKSUM_SINCE}",
        f"    LZF_MAX_RATIO = {table.LZF_MAX_RATIO}",
        "",
        f"cdef unsigned long long MAX_FIELD_EXPIRE_MS = {table.MAX_FIELD_EXPIRE_MS}",
        "",
    ]
    text = "\n".join(lines)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


def write_powers(target: Path, low: int = -348, high: int = 347) -> None:
    """Write 10**k for ``low <= k <= high`` as 128-bit integers, normalised and rounded down."""
    lines = [
        "/* Written by setup.py: floor(10^k * 2^-s), 128 bits, high word first. */",
        f"#define RT_POW10_MIN ({low})",
        f"#define RT_POW10_MAX ({high})",
        f"static const uint64_t rt_pow10[{high - low + 1}][2] = {{",
    ]
    for k in range(low, high + 1):
        numerator, denominator = (10**k, 1) if k >= 0 else (1, 10**-k)
        shift = 128 - (numerator.bit_length() - denominator.bit_length()) + 1
        value = (numerator << shift) // denominator if shift >= 0 else (numerator >> -shift) // denominator
        value >>= value.bit_length() - 128
        lines.append(f"    {{0x{value >> 64:016x}ull, 0x{value & (2**64 - 1):016x}ull}}, /* 1e{k} */")
    lines += ["};", ""]
    text = "\n".join(lines)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


class BuildAll(build_ext):
    """Translates and compiles all modules side by side, and says so: pip shows it with -v."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = JOBS

    def run(self) -> None:
        from Cython.Build import cythonize  # noqa: PLC0415 - nothing else here needs it, and it is slow to import

        began = time.monotonic()
        print(
            f"rdbtool: translating and compiling {len(self.extensions)} modules, {JOBS} at a time; "
            "this takes two minutes on two cores",
            flush=True,
        )
        write_constants(ROOT / "rdbtool/_codec/_types.pxi")
        write_powers(ROOT / "rdbtool/_codec/_powers.h")
        translated = cythonize(
            [Extension(module.name, module.sources, include_dirs=module.include_dirs) for module in self.extensions],
            # Elsewhere processes would have to be spawned for it.
            nthreads=JOBS if JOBS > 1 and sys.platform == "linux" else 0,
            force=bool(self.force),
            compiler_directives={
                "language_level": 3,
                "boundscheck": False,
                "wraparound": False,
                "cdivision": True,
                "initializedcheck": False,
                # Only values of the model are pickled, which say so: each other class would carry functions for it.
                "auto_pickle": False,
            },
        )
        sources = {module.name: module.sources for module in translated}
        for module in self.extensions:
            # A module's own name, which build_ext has cut where it builds in place.
            module.sources = sources[getattr(module, "_full_name", module.name)]
        super().run()
        print(f"rdbtool: compiled in {time.monotonic() - began:.0f} s", flush=True)


def headers_of(source: Path) -> list[Path]:
    """Return the headers that a source may include: those of the codec, in the engine its own as well."""
    rooms = ["rdbtool/_codec", *(["rdbtool/engine"] if source.is_relative_to(ROOT / "rdbtool/engine") else [])]
    return [header for room in rooms for header in sorted((ROOT / room).glob("*.h"))]


def main() -> None:
    """Build what the command line asks for."""
    if COMPILING & set(sys.argv[1:]) and (problem := why_not()):
        sys.exit(problem)
    setup(
        cmdclass={"build_ext": BuildAll},
        ext_modules=[
            Extension(
                ".".join(path.relative_to(ROOT).with_suffix("").parts),
                [str(path.relative_to(ROOT))],
                include_dirs=["rdbtool/_codec", "rdbtool/engine"],
                depends=[str(header.relative_to(ROOT)) for header in headers_of(path)],
                extra_compile_args=[*COMPILE_ARGS[BUILD], "-Wno-unused-function", "-Wno-maybe-uninitialized"],
                extra_link_args=LINK_ARGS[BUILD],
            )
            for path in sorted((ROOT / "rdbtool").rglob("*.pyx"))
        ],
    )


# The processes that translate import this file where they are not copies of this one: since Python 3.14, on Linux too.
if __name__ == "__main__":
    main()
