"""Logs for tests, and a parser of sound ones that shares nothing with rdbtool's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rdbtool.core.errors import FormatError
from rdbtool.reader.aof.batches import AofCommand
from rdbtool.reader.aof.reader import AofReader, open_aof

FIXTURES = Path(__file__).parents[2] / "fixtures"
LOGS = sorted(path for path in FIXTURES.glob("*/aof-*") if path.is_dir() or path.suffix == ".aof")


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def command(*words: bytes | str) -> bytes:
    """Return one command as servers write it."""
    parts = [word if isinstance(word, bytes) else word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def sets(count: int, prefix: str = "k") -> bytes:
    """Return a log of ``count`` SET commands."""
    return b"".join(command("SET", f"{prefix}{number}", f"value {number}") for number in range(count))


def parse(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (offset, argv) of a sound log. An annotation is yielded as a list of one line that begins with #."""
    at = 0
    while at < len(data):
        start = at
        line_end = data.index(b"\r\n", at)
        head, at = data[at:line_end], line_end + 2
        if head[:1] == b"#":
            yield start, [head]
            continue
        argv = []
        for _ in range(int(head[1:])):
            line_end = data.index(b"\r\n", at)
            size = int(data[at + 1 : line_end])
            argv.append(data[line_end + 2 : line_end + 2 + size])
            at = line_end + 2 + size + 2
        yield start, argv


def read_all(target, **options) -> tuple[list[AofCommand], FormatError | None, AofReader]:
    """Read a log to its end or fault."""
    reader = open_aof(target, **options)
    return list(reader.commands(on_fault="stop")), reader.fault, reader


def write_log(directory: Path, parts: dict[str, bytes], manifest: bytes | None = None) -> Path:
    """Write a multi-part log: file names to content, in the order base, increments. Returns the manifest's path."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (name, data) in enumerate(parts.items()):
        (directory / name).write_bytes(data)
        kind = b"b" if ".base." in name else b"i"
        lines.append(b"file %b seq %d type %b\n" % (name.encode(), max(1, number), kind))
    path = directory / "appendonly.aof.manifest"
    path.write_bytes(b"".join(lines) if manifest is None else manifest)
    return path
