"""Snapshots: the keyspace of an engine as an RDB, and back.

The file appears whole or not at all, read back before it gets its name. The same engine gives the same bytes: the
moment in the file is the engine's.
It names the server rules of the engine, so that a server that loads it uses the same.
"""

from __future__ import annotations

import os
from functools import partial

from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.sink import Sink
from rdbtool.core.errors import UnsupportedError
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.location import NOWHERE
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import VALKEY, WRITER_FIELDS
from rdbtool.core.servers import Rules, Target
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.engine_dataset import EngineDataset
from rdbtool.engine.replay.loader import replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.model import Aux, Header
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.atomic.output import open_output
from rdbtool.writer.dataset_writer import DatasetWriter
from rdbtool.writer.rdb import Written

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress


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
    dataset = EngineDataset(engine, Header(chosen.magic, chosen.version), _aux_fields(engine, chosen, is_base=is_base))
    make = partial(
        Rdb,
        magic=chosen.magic,
        version=chosen.version,
        release=chosen.release,
        compress=compress,
        sizes=dataset.sizes,
    )
    writer = DatasetWriter(dataset, make, chosen, allow_loss=allow_loss, announces=False, read_back=_read_back)
    with open_output(os.fspath(path), force=force) as output:
        writer.write_to(output)
    return Written(writer.keys, writer.bytes, writer.losses)


def _read_back(path: str, sink: Sink, progress: Progress | None) -> None:
    with open_rdb(path) as reader:
        reader.feed(sink, progress=progress)


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
