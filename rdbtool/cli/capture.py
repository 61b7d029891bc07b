"""``rdbtool capture``: take a snapshot of a running server, or record its stream of writes as an AOF."""

from __future__ import annotations

import re
import signal
import sys
import threading

from rdbtool.cli.app import json_line, print_lines, print_remarks
from rdbtool.cli.live_options import Access, Url
from rdbtool.cli.options import Force, Json, NoProgress, expands, refuse_terminal
from rdbtool.cli.parameters import Argument, Option, UsageError
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated
from rdbtool.core.limits import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdbtool.engine.persistence.policies import Policy, SavePoint
    from rdbtool.live.capture_events import CaptureEvent
    from rdbtool.live.connection import Endpoint
    from rdbtool.live.follower import FollowOptions
    from rdbtool.live.snapshots import Saved


@expands
def capture(
    url: Url,
    directory: Annotated[
        str | None,
        Argument(metavar="DIR", help="With --follow: the AOF directory, new or of an earlier capture."),
    ] = None,
    *,
    access: Access,
    output: Annotated[
        str | None,
        Option("--output", "-o", metavar="FILE", help="Write a snapshot to FILE, or - for standard output."),
    ] = None,
    follow: Annotated[
        bool, Option("--follow", help="Take a base file, then append every write to an AOF in DIR until stopped.")
    ] = False,
    save: Annotated[
        list[str] | None,
        Option(
            "--save",
            metavar="SECONDS:CHANGES",
            help="Take a new base after SECONDS and at least CHANGES commands, such as --save 3600:1.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        Option(
            "--keep",
            metavar="N|TIMES",
            help="Keep earlier bases with their commands, in DIR/kept: N of them, or one per hour, day and week, such "
            "as 24h,7d,4w.",
        ),
    ] = None,
    max_lag: Annotated[
        str | None,
        Option(
            "--max-lag",
            metavar="SIZE",
            help="Report when the server is more than SIZE ahead; if writing to disk fails meanwhile, close the "
            "connection.",
        ),
    ] = None,
    no_ack: Annotated[
        bool,
        Option("--no-ack", help="Send no acknowledgements, so that WAIT never counts this capture."),
    ] = False,
    scan: Annotated[
        bool,
        Option(
            "--scan",
            help="Read with SCAN and DUMP if replication is not allowed: all keys, but not a point-in-time snapshot.",
        ),
    ] = False,
    digest: Annotated[bool, Option("--digest", help="Also print the DEBUG DIGEST of the dataset.")] = False,
    verify: Annotated[
        bool,
        Option("--verify", help="Read what was written back from the disk: it must be what the server sent."),
    ] = False,
    force: Force = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors.")] = False,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Capture the dataset of a running server by replication: a snapshot, or all writes from now on.

    A snapshot is validated while it is written, and published only if complete. With --follow, DIR is an AOF directory
    that servers from 7.0 on load, complete up to the last second, with timestamps for --until; a capture that was
    stopped, killed or disconnected resumes at its last offset. Functions are included, ACLs and configuration are not.
    """
    from rdbtool.live.address import CLUSTER_SCHEMES, scheme_of

    if follow:
        if directory is None or output is not None:
            raise UsageError("give a directory: capture URL DIR --follow", parameter="DIR")
        if scan:
            raise UsageError("it cannot follow writes: only replication sends them", parameter="--scan")
        options = _options(save, keep, max_lag)._replace(acknowledges=not no_ack, verifies=verify)
        _follow(access.endpoint(url), directory, options, as_json=as_json, quiet=quiet)
        return
    for name, given in (("--save", save), ("--keep", keep), ("--max-lag", max_lag), ("--no-ack", no_ack)):
        if given:
            raise UsageError("it is for --follow", parameter=name)
    if scheme_of(url) in CLUSTER_SCHEMES:
        _capture_cluster(url, output or directory, access, digest=digest, verify=verify, as_json=as_json, quiet=quiet)
        return
    from rdbtool.live.snapshots import take_snapshot
    from rdbtool.report.capture import saved_line
    from rdbtool.report.progress_bar import ProgressBar

    target = _check_output(output, directory, as_json=as_json, verify=verify)
    endpoint = access.endpoint(url)
    with ProgressBar(None, enabled=not (no_progress or quiet)) as progress:
        if scan:
            saved = _scan(endpoint, target, force=force, digest=digest, progress=progress)
        else:
            saved = take_snapshot(endpoint, target, force=force, digest=digest, verify=verify, progress=progress)
    if as_json:
        _print_json(saved.to_dict())
    if not quiet:
        print_remarks(saved.warnings)
        print_lines([] if as_json else [saved_line(saved)])


def _scan(endpoint: Endpoint, path: str, *, force: bool, digest: bool, progress: Callable[[int], object]) -> Saved:
    from rdbtool.live.scanning import scan_snapshot

    return scan_snapshot(endpoint, path, force=force, digest=digest, progress=progress)


def _capture_cluster(
    url: str, directory: str | None, access: Access, *, digest: bool, verify: bool, as_json: bool, quiet: bool
) -> None:
    from rdbtool.live.shards import take_cluster
    from rdbtool.report.capture import cluster_line

    if directory is None or directory == "-":
        raise UsageError("give a directory for the shards of a cluster", parameter="DIR")
    access.warn(url)
    done = take_cluster(url, directory, access.secrets(), digest=digest, verify=verify)
    if as_json:
        _print_json(done.to_dict())
    if not quiet:
        print_remarks(done.warnings)
        print_lines([] if as_json else [cluster_line(done)])


def _check_output(output: str | None, directory: str | None, *, as_json: bool, verify: bool) -> str:
    if output is None or directory is not None:
        raise UsageError("give -o FILE for a snapshot, or DIR and --follow", parameter="--output")
    if output == "-":
        refuse_terminal(sys.stdout is not None and sys.stdout.isatty(), "--output")
        if as_json:
            raise UsageError("standard output is already used for the data", parameter="--json")
        if verify:
            raise UsageError("standard output cannot be read back; give a file", parameter="--verify")
    return output


def _save_point(text: str) -> SavePoint:
    from rdbtool.engine.persistence.policies import SavePoint

    match = re.fullmatch(r"\s*(\d{1,9})[\s:]+(\d{1,9})\s*", text)
    if match is None:
        raise UsageError(f"{text!r} is not of the form SECONDS:CHANGES", parameter="--save")
    return SavePoint(int(match[1]), int(match[2]))


def _options(save: list[str] | None, keep: str | None, max_lag: str | None) -> FollowOptions:
    from rdbtool.engine.persistence.policies import Any, LogGrowth
    from rdbtool.live.follower import FollowOptions
    from rdbtool.live.retention import KeepRule

    policies: list[Policy] = [LogGrowth(), *map(_save_point, save or ())]
    try:
        kept = None if keep is None else KeepRule.parse(keep)
    except ValueError as error:
        raise UsageError(str(error), parameter="--keep") from error
    try:
        lag = None if max_lag is None else parse_size(max_lag)
    except ValueError as error:
        raise UsageError(str(error), parameter="--max-lag") from error
    return FollowOptions(Any(*policies), kept, lag)


def _follow(endpoint: Endpoint, directory: str, options: FollowOptions, *, as_json: bool, quiet: bool) -> None:
    from rdbtool.report.capture import StatusLine

    line = StatusLine()

    def on_event(event: CaptureEvent) -> None:
        if as_json:
            _print_json(event.to_dict())
        elif not quiet:
            line(event)

    from rdbtool.live.follower import Follower

    follower = Follower(endpoint, directory, options, on_event)
    # The handler lets the loop end between two commands instead of in the middle of one.
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, lambda *_: follower.stop())
    try:
        follower.run()
    finally:
        line.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_json(document: dict[str, object]) -> None:
    from rdbtool.writer.atomic.output import open_output

    with open_output(None) as out:
        out.write(json_line(document).encode())
