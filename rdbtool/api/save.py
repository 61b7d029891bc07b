"""``rdbtool.save``: write an engine as an RDB file."""

from __future__ import annotations

from rdbtool.api.arguments import FilePath, check_flags, path_of, target_of
from rdbtool.engine.engine import Engine
from rdbtool.engine.persistence.snapshot import save as run
from rdbtool.writer.rdb import Written


def save(
    engine: Engine,
    path: FilePath,
    *,
    target: str | None = None,
    force: bool = True,
    allow_loss: bool = False,
    compress: bool = True,
) -> Written:
    """Write an RDB file with all keys and functions of ``engine`` to ``path``, whole or not at all.

    ``target`` is a server such as ``redis-7.0`` or an RDB version such as ``rdb-11``, None: the server of the engine's
    rules. ``force`` replaces an existing file. The same keys at the same ``engine.now_ms`` give the same bytes. Raises
    LossError for what the target cannot hold, unless ``allow_loss``, InputError and UnsupportedError.
    """
    if not isinstance(engine, Engine):
        raise TypeError(f"engine: expected an Engine, found {type(engine).__name__}")
    check_flags(force=force, allow_loss=allow_loss, compress=compress)
    return run(
        engine, path_of(path, "path"), target=target_of(target), force=force, allow_loss=allow_loss, compress=compress
    )
