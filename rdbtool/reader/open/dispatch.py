"""Open any input: an RDB, an AOF, or JSON lines where these are allowed, detected by content."""

from __future__ import annotations

import os

from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Literal, Unpack, overload
from rdbtool.core.limits import limits
from rdbtool.io.source import is_directory
from rdbtool.reader.open.files import detect_source, open_part, refuse_jsonl, refuse_source

if TYPE_CHECKING:
    from rdbtool.reader.aof.reader import AofOptions, AofReader
    from rdbtool.reader.jsonl.reader import JsonlReader
    from rdbtool.reader.rdb import RdbReader

Target = str | os.PathLike[str] | bytes | BinaryIO


@overload
def open_any(
    target: Target, *, name: str | None = None, jsonl: Literal[False] = False, **options: Unpack[AofOptions]
) -> RdbReader | AofReader: ...


@overload
def open_any(
    target: Target, *, name: str | None = None, jsonl: bool, **options: Unpack[AofOptions]
) -> RdbReader | AofReader | JsonlReader: ...


def open_any(
    target: Target, *, name: str | None = None, jsonl: bool = False, **options: Unpack[AofOptions]
) -> RdbReader | AofReader | JsonlReader:
    """Open an RDB, an AOF, a manifest or a directory with one, ``-``, bytes, or a binary stream.

    ``name`` is the name in errors; ``options`` are those of ``AofReader``. With ``jsonl`` JSON lines are opened too:
    they hold keys, but no commands and no RDB bytes. Raises UnsupportedError for any other format, InputError if it
    cannot be read, FormatError if its beginning is damaged.
    """
    if is_directory(target):
        from rdbtool.reader.aof.reader import open_aof  # noqa: PLC0415 - for AOFs only: an RDB need not wait for it

        return open_aof(target, name=name, **options)
    limit = options.get("max_inflate")
    opened = open_part(target, name=name, max_inflate=limits().string if limit is None else limit)
    try:
        head = opened.head()
        kind = detect_source(opened.source, head, opened.framing)
        if kind is None:
            from rdbtool.reader.payload import open_payload, payload_in  # noqa: PLC0415 - nearly never needed

            payload = payload_in(opened, head)
            if payload is None:
                refuse_source(opened.source, head)
            return open_payload(payload, opened.source, max_inflate=limit, backend=options.get("backend"))
        if kind == "aof":
            from rdbtool.reader.aof.reader import single_log  # noqa: PLC0415 - likewise

            return single_log(opened, target, **options)
        if kind == "rdb":
            from rdbtool.reader.rdb import RdbReader  # noqa: PLC0415 - an AOF need not wait for it

            return RdbReader(
                opened.source,
                max_inflate=limit,
                backend=options.get("backend"),
                window=opened.window,
                around=opened.around,
            )
        if kind == "jsonl":
            if not jsonl:
                refuse_jsonl(opened.source.name)
            from rdbtool.reader.jsonl.reader import JsonlReader  # noqa: PLC0415 - json takes 5 ms and is rarely needed

            return JsonlReader(opened.source, max_inflate=limit, window=opened.window)
    except BaseException:
        opened.source.close()
        raise
    opened.source.close()
    from rdbtool.reader.aof.reader import open_manifest  # noqa: PLC0415 - likewise

    return open_manifest(target, **options)
