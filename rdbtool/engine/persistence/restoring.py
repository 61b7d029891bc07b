"""An engine from the directory of an AOF, as a starting server restores it.

Only the end of the last file may be missing, and it is cut off, so that new commands follow a whole one:
before a transaction without its end, and after a snapshot that nothing whole follows (servers lose data in
both places, format C2). Any other damage is left as it is, and raised.
"""

from __future__ import annotations

import os
import re

from rdbtool.core.commands import FIRST_WORDS
from rdbtool.core.errors import InputError, UncertainError, UnsupportedError
from rdbtool.core.light_typing import Final
from rdbtool.core.servers import Rules, RulesChoice, choose_rules
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.engine import DATABASES, Engine
from rdbtool.engine.inference.least_server import MANIFEST, UNNAMED, ServerNeeds
from rdbtool.engine.persistence.aof_files import LogFiles
from rdbtool.engine.replay.executor import Replay, collector_paused
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.aof.reader import AofReader, open_aof
from rdbtool.reader.aof.tail import Tail
from rdbtool.reader.rdb import RdbReader

#: A line that servers ignore: when the commands after it were executed (Unix ms).
_MOMENT: Final = re.compile(rb"#rdbtool now_ms=(-?\d{1,19})")

_CUT: Final = frozenset({"truncated", "truncated-in-multi"})


def note_moment(now_ms: int) -> bytes:
    """Return the line that says when the commands after it were executed."""
    return b"#rdbtool now_ms=%d\r\n" % now_ms


def restore(files: LogFiles, *, rules: Rules | None, now_ms: int, databases: int = DATABASES) -> Engine:
    """Return the engine that an AOF leads to, and cut off the end of a last file that is not whole.

    ``rules`` None: those of the server that the snapshot names, or of a newer one that what follows needs. Raises
    FormatError for damage, ReplayError for a command that no server would skip, InputError.
    """
    needs = None if rules is not None else ServerNeeds()
    while True:
        engine = Engine(now_ms=now_ms, databases=databases)
        replay = Replay(engine)
        replay.begin(UNNAMED if rules is None else RulesChoice(rules, "named"), needs)
        replay.record(MANIFEST, None)
        with collector_paused(), open_aof(files.manifest, known=FIRST_WORDS) as reader:
            _replay(replay, reader)
            cut = _check(reader)
        replay.end()
        if not replay.was_raised:
            break
    if replay.doubts:
        raise UncertainError(replay.doubts, replay.doubt_count)
    if cut is not None:
        _cut(reader.parts[cut.part].path or "", cut.at)
    engine.now_ms = now_ms
    engine.select(0)
    return engine


def _replay(replay: Replay, reader: AofReader) -> None:
    part = -1
    for piece in reader.batches(on_fault="stop"):
        if isinstance(piece, RdbReader):
            _load_snapshot(replay, piece)
            continue
        if piece.part != part:
            part = piece.part
            replay.begin_part(reader.parts[part].name, is_base=reader.parts[part].kind == "base")
        _run(replay, piece)


def _load_snapshot(replay: Replay, snapshot: RdbReader) -> None:
    engine = replay.engine
    for record in snapshot.records():
        engine.put(record)
    for library in snapshot.functions:
        try:
            engine.load_function(library)
        except CommandError as error:
            # One of before their release has no name.
            raise UnsupportedError(f"{snapshot.source.name}: cannot load a function library: {error}") from None
    if replay.needs is not None:
        replay.needs.record_snapshot(snapshot.header)
        replay.begin(choose_rules(snapshot), replay.needs)


def _run(replay: Replay, batch: CommandBatch) -> None:
    """Execute a batch, with the clock at the time that the AOF notes."""
    start = 0
    for index, text in batch.annotations:
        moment = _MOMENT.fullmatch(text)
        if moment is not None:
            replay.run(batch.argvs[start:index], batch.offsets[start:index], batch.first_number + start)
            start = index
            replay.engine.now_ms = int(moment[1])
    replay.run(batch.argvs[start:], batch.offsets[start:], batch.first_number + start)


def _check(reader: AofReader) -> Tail | None:
    """Return the end that is to be cut off, None where the AOF is whole. Raises the fault of any other log."""
    if reader.fault is None:
        return None
    tail = reader.tail
    if tail is None or tail.state not in _CUT or tail.part != len(reader.parts) - 1:
        raise reader.fault
    return tail


def _cut(path: str, size: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(f"cannot cut back {path}: {error.strerror or error}") from error
