"""``rdbtool.rewrite``: the shortest AOF with the same dataset."""

from __future__ import annotations

from typing import Unpack

from rdbtool.api.arguments import (
    FilePath,
    ReplayOptions,
    check_flags,
    count_of,
    path_of,
    replaying_of,
    takes,
    target_of,
)
from rdbtool.operations.convert.rewrite import RewriteOptions, Rewritten, rewrite_again


@takes(ReplayOptions)
def rewrite(
    source: FilePath,
    destination: FilePath | None = None,
    *,
    in_place: bool = False,
    target: str | None = None,
    preamble: bool | None = None,
    backup: FilePath | None = None,
    allow_loss: bool = False,
    force: bool = False,
    server_stopped: bool = False,
    retry: int = 0,
    **options: Unpack[ReplayOptions],
) -> Rewritten:
    """Replay an AOF and write the shortest one with the same dataset, to ``destination`` or ``in_place``.

    The new AOF is read back and compared before it is renamed into place. With ``in_place`` no server may use the
    files; ``server_stopped`` asserts that where it cannot be detected, and ``backup`` is a directory for the old files.
    ``retry``: maximum number of retries while the AOF changes or is in use. For the other options see ``convert``.
    Raises FormatError for damage, UncertainError, PlaceError, LossError, UnsupportedError, and InputError, a HeldError
    if a server has the files open. Nothing has changed then.
    """
    path = path_of(source, "source")
    check_flags(in_place=in_place, preamble=preamble, allow_loss=allow_loss, force=force, server_stopped=server_stopped)
    if in_place == (destination is not None):
        raise ValueError("destination, in_place: exactly one of them is required")
    if backup is not None and not in_place:
        raise ValueError("backup: without in_place the old files stay where they are")
    how = replaying_of(options)
    rewriting = RewriteOptions(
        destination=None if destination is None else path_of(destination),
        preamble=preamble,
        target=target_of(target),
        allow_loss=allow_loss,
        backup=None if backup is None else path_of(backup, "backup"),
        force=force,
        server_stopped=server_stopped,
        rules=how.rules,
        now_ms=how.now_ms,
        places=how.places,
        rename_commands=how.rename_commands,
    )
    return rewrite_again(path, rewriting, how.progress, retries=count_of("retry", retry) or 0)
