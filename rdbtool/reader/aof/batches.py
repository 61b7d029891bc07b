"""AOF commands: in batches for execution, one by one for explanation."""

from __future__ import annotations

from rdbtool._codec.decode.aof_scanner import MULTI
from rdbtool._codec.decode.raw_commands import RawCommands
from rdbtool.core.light_typing import TYPE_CHECKING, NamedTuple
from rdbtool.reader.aof.text_parser import MAX_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class CommandBatch(NamedTuple):
    """Some commands of a part, in order.

    ``offsets`` holds the offset of each command in its part, ``stop`` the offset after the last record.
    ``first_number`` is the number of the first command, counted from 1 over the whole AOF; ``part`` an index into
    ``AofReader.parts``. ``annotations`` are (index of the command that follows, line), ``marks`` (index, MULTI or EXEC
    of ``rdbtool._codec.decode.aof_scanner``).
    """

    argvs: list[tuple[bytes, ...]] | RawCommands
    offsets: memoryview[int]
    first_number: int
    part: int
    stop: int
    annotations: list[tuple[int, bytes]]
    marks: list[tuple[int, int]]


class AofCommand(NamedTuple):
    """A command and its location.

    ``part`` is an index into ``AofReader.parts``, ``offset`` in bytes within that part, ``number`` counts commands over
    the whole AOF from 1. ``time`` is the last annotated one (Unix seconds). ``db`` is the database that the command
    applies to; a SELECT has the one it selects. ``transaction`` counts MULTI blocks from 1, None outside them.
    """

    argv: tuple[bytes, ...]
    part: int
    offset: int
    number: int
    time: int | None
    db: int
    transaction: int | None


def read_time(annotation: bytes) -> int | None:
    """Return the Unix seconds of a ``#TS:`` line, None for any other annotation."""
    digits = annotation[4:]
    return int(digits) if annotation.startswith(b"#TS:") and digits.isdigit() and len(digits) <= MAX_DIGITS else None


def iter_commands(batches: Iterable[CommandBatch], databases: int) -> Iterator[AofCommand]:
    """Yield the commands of batches with their location."""
    time: int | None = None
    part = -1
    db = transaction = 0
    in_multi = False
    for batch in batches:
        if batch.part != part:
            # Servers read every file with a new client.
            part, db, in_multi = batch.part, 0, False
        times = {index: found for index, text in batch.annotations if (found := read_time(text)) is not None}
        marks = dict(batch.marks)
        for index, (argv, offset) in enumerate(zip(batch.argvs, batch.offsets, strict=True)):
            time = times.get(index, time)
            mark = marks.get(index)
            if mark == MULTI and not in_multi:
                in_multi = True
                transaction += 1
            db = selected_db(argv, db, databases)
            yield AofCommand(
                argv, part, offset, batch.first_number + index, time, db, transaction if in_multi else None
            )
            if mark is not None and mark != MULTI:
                in_multi = False
        time = times.get(len(batch.argvs), time)


def selected_db(argv: tuple[bytes, ...], db: int, databases: int) -> int:
    """Return the db after a command: changed by a SELECT, unless a server refuses it."""
    if len(argv[0]) != len(b"select") or argv[0].lower() != b"select":
        return db
    number = argv[1] if len(argv) > 1 else b""
    if not number.isdigit() or len(number) > MAX_DIGITS or (number[:1] == b"0" and number != b"0"):
        return db
    return int(number) if int(number) < databases else db
