"""What a wheel of rdbtool may hold: python .ci/check_wheel.py WHEEL..."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

#: 3.8 MB in November 2026; with what debuggers want it would be three times as much.
LARGEST = 4_000_000
SOURCES = {".c", ".h", ".pxd", ".pxi", ".pyx"}
WANTED = (
    ".data/scripts/rdbtool",
    "share/man/man1/rdbtool.1",
    "share/man/man7/rdbtool-findings.7",
    "share/bash-completion/completions/rdbtool",
    "share/zsh/site-functions/_rdbtool",
    "share/fish/vendor_completions.d/rdbtool.fish",
    "rdbtool/py.typed",
    "rdbtool/_version.py",
)


def complaints(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel."""
    size = wheel.stat().st_size
    found = [f"{size} bytes are more than {LARGEST}"] if size > LARGEST else []
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        found += [f"{name} is a source" for name in names if Path(name).suffix in SOURCES]
        found += [f"{name} is missing" for name in WANTED if not any(row.endswith(name) for row in names)]
        modules = [name for name in names if name.endswith(".so")]
        found += [] if modules else ["no compiled modules"]
        # ELF names its sections: a stripped one has no table of symbols.
        found += [f"{name} is not stripped" for name in modules if b"\0.symtab\0" in archive.read(name)]
    return found


def main() -> None:
    """Check the wheels that the command line names."""
    wrong = False
    for wheel in map(Path, sys.argv[1:]):
        found = complaints(wheel)
        wrong |= bool(found)
        print(f"{wheel.name}: {wheel.stat().st_size:,} bytes", *(found or ["all right"]), sep="\n  ")
    sys.exit(wrong)


main()
