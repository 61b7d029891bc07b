"""``rdbtool.convert``: convert between RDB, AOF, commands and JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal, Unpack

from rdbtool.api.arguments import (
    FilePath,
    ReadOptions,
    Source,
    check_flags,
    choice_of,
    leaving_of,
    path_of,
    replaying_of,
    reshaping_of,
    selection_of,
    source_of,
    takes,
    target_of,
)
from rdbtool.dataset.forms import CONVERTED, form_of
from rdbtool.operations.convert.convert import Converted, ConvertOptions
from rdbtool.operations.convert.convert import convert as run


@takes(ReadOptions)
def convert(
    source: Source,
    destination: FilePath,
    *,
    form: Literal["rdb", "aof", "aof-dir", "resp", "jsonl"] | None = None,
    target: str | None = None,
    preamble: bool | None = None,
    allow_loss: bool = False,
    force: bool = False,
    server_stopped: bool = False,
    functions: bool | None = None,
    drop: str | Iterable[str] | None = None,
    expiry: timedelta | str | None = None,
    rename: Mapping[str | bytes | re.Pattern[bytes], str | bytes] | None = None,
    move_db: Mapping[int, int] | None = None,
    **options: Unpack[ReadOptions],
) -> Converted:
    """Convert a file into another form, or for another server, and read the result back.

    ``form`` None: by the name of the destination: ``.rdb``, ``.aof``, ``.resp``, ``.jsonl``, a directory or a name that
    ends in ``/``. ``target`` is a server such as ``redis-6.2`` or an RDB version such as ``rdb-9``; what it cannot hold
    is refused, or dropped with ``allow_loss`` and listed in ``losses``. ``preamble``: whether an AOF begins with an
    RDB. ``force`` replaces existing files; ``server_stopped`` asserts that no server uses them, where that cannot be
    detected. ``drop`` and ``functions`` say which data outside the keys to drop or keep.

    ``rename`` maps regular expressions to replacements for their matches in keys, ``move_db`` maps databases.
    ``expiry``: ``drop`` removes expiry times, a timedelta or text such as ``+1h`` or ``-30m`` shifts them,
    ``unexpired`` skips the keys and hash fields that have expired at ``now``. Filters match the keys of the source.

    The output appears after it was verified, or not at all. Raises LossError, CollisionError, UncertainError,
    FormatError, InvalidDataError, UnsupportedError, InputError.
    """
    data, to = source_of(source), path_of(destination)
    chosen = form_of(to, CONVERTED) if form is None else choice_of("form", form, CONVERTED)
    if chosen is None:
        raise ValueError(f"form: cannot be inferred from {to!r}: give one of {', '.join(CONVERTED)}")
    if chosen == "aof-dir" and to == "-":
        raise ValueError("destination: a directory cannot go to standard output")
    check_flags(preamble=preamble, allow_loss=allow_loss, force=force, server_stopped=server_stopped)
    how = replaying_of(options)
    converting = ConvertOptions(
        form=chosen,
        target=target_of(target),
        preamble=preamble,
        allow_loss=allow_loss,
        force=force,
        server_stopped=server_stopped,
        rules=how.rules,
        now_ms=how.now_ms,
        rename_commands=how.rename_commands,
        selection=selection_of(options, how.now_ms),
        places=how.places,
        leaving=leaving_of(drop, options, functions=functions),
        reshaping=reshaping_of(expiry, rename, move_db, how.now_ms),
    )
    return run(data, to, converting, how.progress)
