"""Snapshots: the keyspace of an engine as an RDB, and back.

The file appears whole or not at all, and the same engine gives the same bytes: the moment in it is the engine's.
It names the server whose rules the engine goes by, so that whoever loads it goes by the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from rdbtool.engine.errors import CommandError
from rdbtool.engine.state import EngineState
from rdbtool.errors import UnsupportedError
from rdbtool.model import Aux, Header
from rdbtool.reader.open import open_any
from rdbtool.rules import Rules
from rdbtool.span import Span
from rdbtool.types import VALKEY
from rdbtool.writer.output import open_output
from rdbtool.writer.rdb import Written, write_rdb
from rdbtool.writer.targets import Target

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

_NOWHERE: Final = Span(-1, -1)

#: The first version with aux fields, and the first with the name ``aof-base``.
_FIRST_AUX: Final = 7
_FIRST_BASE: Final = 10


def save_engine(
    engine: Engine,
    path: str | os.PathLike[str],
    *,
    target: Target | str | None = None,
    force: bool = True,
    allow_loss: bool = False,
    compress: bool = True,
    is_base: bool = False,
) -> Written:
    """Write the keyspace and the functions of ``engine`` to an RDB at ``path``; see ``Engine.save``.

    ``is_base`` marks the file as the first one of a log.
    """
    chosen = choose_target(engine.rules) if target is None else _parse(target)
    state = EngineState(engine, Header(chosen.magic, chosen.version), _aux_fields(engine, chosen, is_base=is_base))
    with open_output(os.fspath(path), force=force) as output:
        return write_rdb(state, output.write, chosen, compress=compress, allow_loss=allow_loss, sizes=state.sizes)


def load_engine(path: str | os.PathLike[str], *, rules: Rules | str | None = None, now_ms: int = 0) -> Engine:
    """Return an engine that holds what an RDB or a log at ``path`` leads to; see ``Engine.load``."""
    from rdbtool.engine.log import Options, replay_log  # noqa: PLC0415 - the log executes commands on engines

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


def choose_target(rules: Rules) -> Target:
    """Return what a server of ``rules`` writes. Raises UnsupportedError where nobody knows that."""
    try:
        return Target.of_release(rules)
    except ValueError as error:
        raise UnsupportedError(f"cannot write an RDB: {error}") from None


def _parse(target: Target | str) -> Target:
    return Target.parse(target) if isinstance(target, str) else target


def _aux_fields(engine: Engine, target: Target, *, is_base: bool) -> list[Aux]:
    if target.magic != VALKEY and target.version < _FIRST_AUX:
        return []
    fields = [(b"redis-bits", b"64"), (b"ctime", b"%d" % (engine.now_ms // 1000))]
    if target.release is not None:
        release = target.release
        name = b"valkey-ver" if release.family == "valkey" else b"redis-ver"
        fields.insert(0, (name, f"{release.major}.{release.minor}.0".encode()))
    if target.magic == VALKEY or target.version >= _FIRST_BASE:
        fields.append((b"aof-base", b"%d" % is_base))
    return [Aux(name, value, _NOWHERE) for name, value in fields]
