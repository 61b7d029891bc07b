"""Build of the compiled parts: the model's classes and the codec.

Everything declarative stands in pyproject.toml. This file exists because the codec's constants are
written from ``rdbtool/core/rdb_types.py``, the one table of opcodes and value types, before Cython runs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent


def write_constants(target: Path) -> None:
    """Write the numbers of ``rdbtool/core/rdb_types.py`` as Cython enums."""
    spec = importlib.util.spec_from_file_location("rdbtool_types", ROOT / "rdbtool/core/rdb_types.py")
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
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


write_constants(ROOT / "rdbtool/_codec/_types.pxi")
write_powers(ROOT / "rdbtool/_codec/_powers.h")

#: Extensions are translated and compiled side by side; elsewhere processes would have to be spawned for it.
JOBS = os.cpu_count() or 1 if sys.platform == "linux" else 1

SOURCES = sorted((ROOT / "rdbtool").rglob("*.pyx"))


def headers_of(source: Path) -> list[Path]:
    """Return the headers that a source may include: those of the codec, in the engine its own as well."""
    rooms = ["rdbtool/_codec", *(["rdbtool/engine"] if source.is_relative_to(ROOT / "rdbtool/engine") else [])]
    return [header for room in rooms for header in sorted((ROOT / room).glob("*.h"))]


setup(
    ext_modules=cythonize(
        [
            Extension(
                ".".join(path.relative_to(ROOT).with_suffix("").parts),
                [str(path.relative_to(ROOT))],
                include_dirs=["rdbtool/_codec", "rdbtool/engine"],
                depends=[str(header.relative_to(ROOT)) for header in headers_of(path)],
                extra_compile_args=["-O3", "-Wno-unused-function", "-Wno-maybe-uninitialized"],
            )
            for path in SOURCES
        ],
        nthreads=JOBS if JOBS > 1 else 0,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    ),
    options={"build_ext": {"parallel": JOBS}},
)
