"""``rdbtool load``: load a dataset into a running server."""

from __future__ import annotations

import re

from rdbtool.cli.app import json_line, print_lines
from rdbtool.cli.live_options import Access, Url
from rdbtool.cli.options import (
    AllowLoss,
    DropParts,
    Filters,
    Functions,
    Json,
    NoProgress,
    RenamedCommands,
    Reshape,
    Server,
    Source,
    Stop,
    check_rules,
    expands,
    renames_of,
)
from rdbtool.cli.parameters import Exit, Option, UsageError
from rdbtool.core.light_typing import Annotated


@expands
def load(
    src: Source,
    url: Url,
    *,
    access: Access,
    filters: Filters,
    stop: Stop,
    reshape: Reshape,
    replace: Annotated[bool, Option("--replace", help="Overwrite keys that exist in the server.")] = False,
    skip_existing: Annotated[
        bool, Option("--skip-existing", help="Keep keys that exist in the server, with exit code 0.")
    ] = False,
    rate: Annotated[str | None, Option("--rate", metavar="N/s", help="Load at most N keys per second.")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Change nothing; print what would be loaded.")] = False,
    cluster: Annotated[
        bool, Option("--cluster", help="URL is a node of a cluster: send each key to the master of its slot.")
    ] = False,
    verify: Annotated[
        bool,
        Option("--verify", help="Then compare SRC with a snapshot of the server; differences give exit code 1."),
    ] = False,
    functions: Functions = None,
    drop: DropParts = None,
    allow_loss: AllowLoss = False,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors.")] = False,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Load the keys and functions of a file into a running server, in a form that its version accepts.

    Keys are sent with RESTORE, or with commands if the server does not allow RESTORE; expiry times are kept as absolute
    times. A lost connection is reopened, and nothing is loaded twice. Keys that exist in the server are kept, which
    gives exit code 1, unless --replace or --skip-existing is given. Data that the server cannot hold is refused, or
    with --allow-loss dropped and reported.
    """
    from rdbtool.dataset.loading import open_keys
    from rdbtool.live.address import CLUSTER_SCHEMES, scheme_of
    from rdbtool.live.loading_server import LoadOptions, load_dataset
    from rdbtool.report.load import loaded_lines
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.writer.atomic.output import open_output

    check_rules(rules)
    if replace and skip_existing:
        raise UsageError("only one of them can be given", parameter="--replace, --skip-existing")
    options = LoadOptions(
        replace=replace,
        skip_existing=skip_existing,
        allow_loss=allow_loss,
        dry_run=dry_run,
        rate=_rate(rate),
        leaving=filters.leaving(drop, functions=functions),
        reshaping=reshape.reshaping(filters.milliseconds()),
    )
    if verify and (src == "-" or dry_run):
        words = "it reads SRC again, and standard input can be read once" if src == "-" else "nothing is loaded"
        raise UsageError(words, parameter="--verify")
    router = None
    if cluster or scheme_of(url) in CLUSTER_SCHEMES:
        endpoint, router = access.cluster(url)
    else:
        endpoint = access.endpoint(url)
    places, renames = stop.places(src), renames_of(rename_command)
    with (
        open_keys(
            src,
            rules=rules,
            now_ms=filters.milliseconds(),
            places=places,
            rename_commands=renames,
        ) as keys,
        ProgressBar(keys.size, enabled=not (no_progress or quiet)) as progress,
    ):
        done = load_dataset(keys, endpoint, options, router=router, selection=filters.selection(), progress=progress)
        if verify:
            from rdbtool.live.load_check import LoadSource, check_load

            reading = LoadSource(rules, filters.milliseconds(), places, renames, filters.selection())
            done = done.with_check(check_load(src, endpoint, options, reading, cluster=router, progress=progress))
    if as_json:
        with open_output(None) as out:
            out.write(json_line(done.to_dict()).encode())
    elif not quiet:
        print_lines(loaded_lines(done))
    if not done.is_complete:
        raise Exit(1)


def _rate(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9})(?:/s)?", text)
    if match is None or int(match[1]) == 0:
        raise UsageError(f"{text!r} is not a number of keys per second such as 1000/s", parameter="--rate")
    return float(match[1])
