"""What the crash tests run: ``python work.py SCENARIO DIRECTORY``, without site packages, so that it starts fast.

Exit codes are those of the commands: 3 for an InputError, and 128 + N for a signal that asks to end.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rdbtool._entry import Terminated, _terminate
from rdbtool.core.errors import InputError
from rdbtool.core.manifest import read_manifest
from rdbtool.writer.aofdir.directory import NewBase, create_log, replace_file, replace_log
from rdbtool.writer.atomic.output import open_output
from rdbtool.writer.atomic.through import Output

NEW = b"new " * 3000


def write(output: Output) -> None:
    output.write(NEW[:6000])
    output.write(NEW[6000:])


def check(path: str) -> None:
    try:
        read = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if read != NEW:
        raise InputError("not what was meant")


BASE = NewBase("rdb", write, check)


def file(place: Path, *, force: bool) -> None:
    with open_output(str(place / "out"), force=force, needs=len(NEW)) as output:
        write(output)
        output.verify_with(check)


def replace(place: Path, keep: Path | None) -> None:
    path = place / "appendonly.aof.manifest"
    replace_log(read_manifest(path.read_bytes(), path), BASE, keep_old=keep)


def careless(place: Path) -> None:
    """Write over what is there: what the harness has to find broken."""
    with (place / "out").open("wb", buffering=0) as stream:
        stream.write(NEW[:6000])
        stream.write(NEW[6000:])


SCENARIOS = {
    "new-file": lambda place: file(place, force=False),
    "replaced-file": lambda place: file(place, force=True),
    "replaced-single": lambda place: replace_file(place / "out", BASE),
    "new-directory": lambda place: create_log(place / "log", BASE),
    "new-log": lambda place: create_log(place / "log", BASE),
    "replaced-log": lambda place: replace(place / "log", None),
    "kept-log": lambda place: replace(place / "log", place / "backup"),
    "careless": careless,
}


def run(scenario: str, place: Path) -> int:
    try:
        SCENARIOS[scenario](place)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except Terminated as signalled:
        return signalled.exit_code
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1], Path(sys.argv[2])))
