"""``rdbtool.digest``: the digest that a server with this data reports."""

from __future__ import annotations

from typing import Unpack

from rdbtool.api.arguments import (
    ReadOptions,
    Source,
    replaying_of,
    selection_of,
    source_of,
    takes,
)
from rdbtool.dataset.loading import load_keys
from rdbtool.operations.info.digest import DataDigest, compute_digest
from rdbtool.reader.open.dispatch import open_any


@takes(ReadOptions)
def digest(source: Source, **options: Unpack[ReadOptions]) -> DataDigest:
    """Return the digest of a dataset; ``str`` of it is the 40 hex digits of DEBUG DIGEST on a server that holds it.

    ``rules`` names the server whose digest to compute, where servers differ; None: the one that wrote the file. For the
    other options see ``open``. Check ``doubt``: an AOF may have commands whose effect is unknown. Raises FormatError
    for damage, UnsupportedError for values that only their server can digest, InputError, PlaceError.
    """
    target = source_of(source)
    how = replaying_of(options)
    selection = selection_of(options, how.now_ms)
    with open_any(target, jsonl=True) as reader:
        keys = load_keys(
            reader,
            how.rules,
            now_ms=how.now_ms,
            places=how.places,
            source=target,
            rename_commands=how.rename_commands,
            progress=how.progress,
        )
        return compute_digest(keys, how.rules, now_ms=how.now_ms, selection=selection, progress=how.progress)
