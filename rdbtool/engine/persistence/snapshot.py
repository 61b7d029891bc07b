"""Snapshots: the keyspace of an engine as an RDB, and back.

The file appears whole or not at all, read back before it gets its name. The same engine gives the same bytes: the
moment in the file is the engine's.
It names the server whose rules the engine goes by, so that whoever loads it goes by the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from rdbtool._codec.filters.target import Fit
from rdbtool._codec.filters.tee import Tee
from rdbtool._codec.sink import Sink
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import InputError, RdbToolError, UnsupportedError, describe_error
from rdbtool.core.location import NOWHERE
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import VALKEY, WRITER_FIELDS
from rdbtool.core.servers import Rules
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.engine_dataset import EngineState
from rdbtool.engine.replay.loader import replay_log
from rdbtool.engine.replay.options import Options
from rdbtool.model import Aux, Header
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.atomic.output import open_output
from rdbtool.writer.rdb import Written, write_rdb
from rdbtool.writer.targets import Target

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection


#: The first version with aux fields, and the first with the name ``aof-base``.
_FIRST_AUX: Final = 7
_FIRST_BASE: Final = 10


def save(
    engine: Engine,
    path: str | os.PathLike[str],
    *,
    target: Target | str | None = None,
    force: bool = True,
    allow_loss: bool = False,
    compress: bool = True,
    is_base: bool = False,
) -> Written:
    """Write a snapshot: an RDB of all keys and functions of ``engine``, whole or not at all.

    ``target`` (``redis-7.0``, ``rdb-11``, or a Target) is whom it is for, None for the server of the engine's rules.
    ``force`` allows an existing file to be replaced. ``is_base`` marks the file as the first one of an AOF. The same
    keyspace at the same ``now_ms`` gives the same bytes. Raises InputError, UnsupportedError, ValueError for a target
    that there is not, and LossError for what the target cannot hold, unless ``allow_loss``.
    """
    chosen = Target.of_release(engine.rules) if target is None else _parse(target)
    state = EngineState(engine, Header(chosen.magic, chosen.version), _aux_fields(engine, chosen, is_base=is_base))
    witness = _Witness(state, chosen)
    with open_output(os.fspath(path), force=force) as output:
        output.verify_with(witness.check)
        return write_rdb(witness, output.write, chosen, compress=compress, allow_loss=allow_loss, sizes=state.sizes)


class _Witness:
    """Hands an engine's state on, and remembers the fingerprint of what the target holds of it."""

    def __init__(self, state: EngineState, target: Target) -> None:
        self._state = state
        self._target = target
        self._told = Fingerprint()

    def feed(
        self,
        sink: Sink,
        *,
        selection: Selection | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Tell ``sink`` of everything."""
        self._state.feed(Tee(sink, self._fit(self._told)), selection=selection, progress=progress)

    def check(self, path: str) -> None:
        """Read what was written. Raises InputError where it is something else."""
        found = Fingerprint()
        try:
            with open_rdb(path) as reader:
                reader.feed(self._fit(found))
        except RdbToolError as error:
            raise InputError(f"what was saved cannot be read back: {describe_error(error)}") from error
        if found.hexdigest() != self._told.hexdigest():
            raise InputError(f"what was saved is not what the engine holds: {found.keys} keys of {self._told.keys}")

    def _fit(self, sink: Sink) -> Fit:
        magic, version, release = self._target
        # What may not be lost was refused when it was written.
        return Fit(sink, magic=magic, version=version, release=release, allow_loss=True)


def load_engine(path: str | os.PathLike[str], *, rules: Rules | str | None = None, now_ms: int = 0) -> Engine:
    """Return a new engine with the dataset of an RDB or an AOF (a file or a directory); db 0 is the current one.

    ``rules`` None: those of the server that the file names. Nothing expires. Raises FormatError, InputError,
    LimitError, UnsupportedError, and ReplayError for a command in an AOF that fails.
    """
    with open_any(path) as reader:
        parsed = Rules.parse(rules) if isinstance(rules, str) else rules
        try:
            loaded = replay_log(reader, Options(rules=parsed, now_ms=now_ms, strict=True))
        except CommandError as error:
            # A function library of before their release has no name.
            raise UnsupportedError(f"cannot load {os.fspath(path)}: {error}") from None
    if loaded.fault is not None:
        raise loaded.fault
    engine = loaded.replay.engine
    engine.select(0)
    return engine


def _parse(target: Target | str) -> Target:
    return Target.parse(target) if isinstance(target, str) else target


def _aux_fields(engine: Engine, target: Target, *, is_base: bool) -> list[Aux]:
    if target.magic != VALKEY and target.version < _FIRST_AUX:
        return []
    fields = [(b"redis-bits", b"64"), (b"ctime", b"%d" % (engine.now_ms // 1000))]
    if target.release is not None:
        release = target.release
        fields.insert(0, (WRITER_FIELDS[release.family], f"{release.major}.{release.minor}.0".encode()))
    if target.magic == VALKEY or target.version >= _FIRST_BASE:
        fields.append((b"aof-base", b"%d" % is_base))
    return [Aux(name, value, NOWHERE) for name, value in fields]
