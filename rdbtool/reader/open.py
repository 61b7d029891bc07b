"""Opens whatever a user names: an RDB or a log, told apart by content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Unpack

from rdbtool.reader.aof import AofOptions, AofReader, max_inflate_of, open_aof, open_manifest, single_log
from rdbtool.reader.detect import detect_content, read_ending
from rdbtool.reader.parts import open_part
from rdbtool.reader.rdb import RdbReader


def open_any(
    target: str | os.PathLike[str] | bytes | BinaryIO, *, name: str | None = None, **options: Unpack[AofOptions]
) -> RdbReader | AofReader:
    """Open an RDB, a log, a manifest or a directory with one, ``-``, bytes, or a binary stream.

    ``name`` is what errors call it; ``options`` are those of ``AofReader``. Raises UnsupportedError where it is none
    of these, InputError where it cannot be read, FormatError where its beginning is damaged.
    """
    if isinstance(target, str | os.PathLike) and target != "-" and Path(target).is_dir():
        return open_aof(target, name=name, **options)
    opened = open_part(target, name=name, max_inflate=max_inflate_of(options))
    try:
        ending = read_ending(target) if opened.source.compression is None else b""
        kind = detect_content(opened.head(), ending, opened.source.name)
        if kind == "aof":
            return single_log(opened, target, **options)
        if kind == "rdb":
            limit, backend = options.get("max_inflate"), options.get("backend")
            return RdbReader(opened.source, max_inflate=limit, backend=backend, window=opened.window)
    except BaseException:
        opened.source.close()
        raise
    opened.source.close()
    return open_manifest(target, **options)
