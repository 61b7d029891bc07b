"""How many modules a newcomer opens to follow a command: those with a function that the command calls.

    python benchmarks/opened_modules.py [--list COMMAND]

Each command runs in a process of its own, under ``sys.setprofile``. Functions that run while a module is imported do
not count, nor do the command families of the engine, of which each command of an AOF needs its own; compiled modules
are not seen.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent
FIXTURES: Final = ROOT / "fixtures"
RDB: Final = FIXTURES / "redis-7.0.15/default.rdb"
AOF: Final = FIXTURES / "redis-7.0.15/aof-preamble"


class Row(NamedTuple):
    """A command, and how many modules it may have."""

    name: str
    bound: int
    words: tuple[str, ...]


ROWS: Final = (
    Row("dump", 24, ("dump", str(RDB))),
    Row("validate", 35, ("validate", str(RDB))),
    Row("convert", 32, ("convert", str(RDB), "out.rdb", "--target", "redis-6.2", "--allow-loss")),
    Row("replay", 40, ("replay", str(AOF))),
    Row("diff", 30, ("diff", str(RDB), str(RDB))),
    Row("aof-rewrite", 50, ("aof-rewrite", str(AOF), "-o", "out")),
    Row("repair", 45, ("repair", "damaged.rdb", "-o", "out.rdb")),
)

#: Runs a command and prints, as the last line of standard error, the files with functions that were called.
CHILD: Final = """
import json, os, sys
root = sys.argv.pop(1)
seen, importing = set(), 0
def watch(frame, event, _):
    global importing
    code = frame.f_code
    if code.co_name == "<module>":
        importing += (event == "call") - (event == "return")
    elif event == "call" and not importing and code.co_flags & 1 and code.co_filename.startswith(root):
        seen.add(os.path.relpath(code.co_filename, root))
from rdbtool._entry import run  # main would end the process at once
sys.setprofile(watch)
try:
    sys.exit(run(sys.argv[1:]))
finally:
    sys.setprofile(None)
    print("\\n" + json.dumps(sorted(seen)), file=sys.stderr)
"""


def opened(row: Row, place: Path) -> list[str]:
    """Return the modules that a command opens, relative to the package."""
    data = bytearray(RDB.read_bytes())
    data[len(data) // 2] ^= 0x55
    (place / "damaged.rdb").write_bytes(data)
    words = [sys.executable, "-c", CHILD, str(ROOT / "rdbtool"), *row.words]
    ran = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    found: list[str] = json.loads(ran.stderr.rsplit("\n", 2)[-2])
    return [name for name in found if not name.startswith("engine/commands/")]


def main() -> int:
    """Print a line a command; return 1 where a bound is not held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", help="the modules of one command")
    chosen = parser.parse_args().list
    broken = 0
    for row in ROWS:
        if chosen not in {None, row.name}:
            continue
        place = Path(tempfile.mkdtemp())
        names = opened(row, place)
        shutil.rmtree(place)
        held = len(names) <= row.bound
        broken += not held
        print(f"{row.name:12}{len(names):4} of {row.bound}  {'held' if held else 'BROKEN'}")
        if chosen:
            print("".join(f"  {name}\n" for name in names), end="")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
