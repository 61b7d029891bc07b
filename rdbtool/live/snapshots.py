"""Snapshots of a server over the replication protocol: validated while written, kept only if complete."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rdbtool._codec.sinks.digest import Digest
from rdbtool.core.errors import FormatError, InputError, InvalidDataError, UnsupportedError, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Protocol
from rdbtool.core.servers import Rules
from rdbtool.io.source import open_source
from rdbtool.live.read_back import HashedOutput
from rdbtool.live.replica import Replica, open_replica
from rdbtool.operations.info.digest import read_digest
from rdbtool.operations.validate.rdb import validate_rdb
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.rdb import RdbReader
from rdbtool.writer.atomic.output import open_output

if TYPE_CHECKING:
    from rdbtool.core.progress import Progress
    from rdbtool.live.connection import Endpoint
    from rdbtool.live.replica import RdbTransfer
    from rdbtool.operations.validate.verdict import Verdict


@dataclass(frozen=True)
class Saved:
    """A validated and published snapshot of a server.

    ``path`` is the file, "-" for standard output; ``replid`` and ``offset`` are the position in the server's
    replication stream ("" and -1: not a point-in-time snapshot). ``digest`` is DEBUG DIGEST at that moment; None if not
    requested, or if only the server can compute it. ``bytes`` is the size, ``keys`` the number of keys, ``server`` the
    writer, such as ``redis 7.0.15``, and ``warnings`` those of validation. ``verified``: the file was read back from
    the disk, and compared with what the server sent. ``removed`` names the older snapshots that ``keep`` removed.
    """

    path: str
    source: str
    digest: str | None
    replid: str
    offset: int
    keys: int
    bytes: int
    server: str
    seconds: float
    warnings: tuple[str, ...] = ()
    verified: bool = False
    removed: tuple[str, ...] = ()

    def with_removed(self, names: tuple[str, ...]) -> Saved:
        """Return a copy with the names of the removed snapshots."""
        return replace(self, removed=names)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``capture --json`` prints."""
        return {
            "schema": 1,
            "event": "snapshot",
            "path": json_name(self.path),
            "source": self.source,
            "digest": self.digest,
            "replid": self.replid,
            "offset": self.offset,
            "keys": self.keys,
            "bytes": self.bytes,
            "server": self.server,
            "seconds": round(self.seconds, 3),
            "warnings": list(self.warnings),
            "verified": self.verified,
            "removed": [json_name(name) for name in self.removed],
        }


class _Writable(Protocol):
    def write(self, data: memoryview, /) -> None: ...


class _Copying:
    """A stream that copies what is read from it to an output."""

    def __init__(self, transfer: RdbTransfer, output: _Writable) -> None:
        self._transfer = transfer
        self._output = output

    def readinto(self, view: memoryview, /) -> int:
        count = self._transfer.readinto(view)
        if count:
            self._output.write(view[:count])
        return count

    def close(self) -> None:
        """Leave the transfer to its owner."""


@dataclass(frozen=True)
class Received:
    """A received RDB; for the fields see ``Saved``."""

    keys: int
    bytes: int
    digest: str | None
    server: str
    rules: Rules
    warnings: tuple[str, ...]


def receive(transfer: RdbTransfer, output: _Writable, *, name: str, digest: bool, now_ms: int) -> Received:
    """Write an RDB that a server sends to ``output``, validating it at the same time.

    Raises ServerConnectionError for a transfer that ended early, FormatError or InvalidDataError for data that servers
    refuse or misread, UnsupportedError for features unknown to this release, and the errors of writing. The output must
    then be discarded.
    """
    with open_source(_Copying(transfer, output), name=name) as source:  # type: ignore[arg-type]  # a stream that has only readinto
        try:
            reader = RdbReader(source)
            reader.read_preamble()
            rules = reader.choice.rules
            sums = Digest(rules, now_ms) if digest else None
            verdict = validate_rdb(reader, Checks(now_ms=now_ms), also=sums)
        except (FormatError, InputError, UnsupportedError):
            if transfer.failure is not None:
                raise transfer.failure from None
            raise
        if transfer.failure is not None:
            raise transfer.failure
        transfer.drain()
        _raise_invalid(verdict, name)
    text = None
    if sums is not None:
        sums.close()
        text = None if sums.opaque_keys else read_digest(sums, name)
    warnings = tuple(row.message for row in verdict.findings if row.severity == "warning")
    return Received(verdict.keys, transfer.received, text, _writer_of(verdict), rules, warnings)


def _raise_invalid(verdict: Verdict, name: str) -> None:
    if verdict.answer == "valid":
        return
    errors = [row for row in verdict.findings if row.severity == "error"]
    if errors:
        raise InvalidDataError(errors[0])
    if verdict.answer == "unsupported":
        raise UnsupportedError(verdict.error or name)
    raise InputError(verdict.error or f"{name}: the RDB could not be validated")


def _writer_of(verdict: Verdict) -> str:
    fields = {field.key: field.value for field in verdict.aux}
    for name in ("valkey", "redis"):
        version = fields.get(f"{name}-ver".encode())
        if version is not None:
            return f"{name} {version.decode('utf-8', 'replace')}"
    return ""


def take_snapshot(
    endpoint: Endpoint,
    path: str,
    *,
    force: bool = False,
    digest: bool = True,
    verify: bool = False,
    progress: Progress | None = None,
    replica: Replica | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Saved:
    """Write a snapshot of a server to ``path`` ("-": standard output), whole or not at all.

    ``verify``: the file is read back from the disk before it gets its name. ``replica`` is a connection that is about
    to receive an RDB, and stays open; None: a new one is used. Raises the errors of ``receive`` and ``open_output``.
    """
    begun = time.monotonic()
    own = open_replica(endpoint, meanwhile=meanwhile) if replica is None else replica
    try:
        with open_output(path, force=force) as output:
            now_ms = time.time_ns() // 1_000_000
            transfer = own.transfer(progress, meanwhile)
            into = HashedOutput(output) if verify else output
            received = receive(transfer, into, name=endpoint.name, digest=digest, now_ms=now_ms)
    finally:
        if replica is None:
            own.close()
    return Saved(
        path=os.fspath(path),
        source=endpoint.name,
        digest=received.digest,
        replid=own.position.replid,
        offset=own.position.offset,
        keys=received.keys,
        bytes=received.bytes,
        server=received.server,
        seconds=time.monotonic() - begun,
        warnings=received.warnings,
        verified=verify,
    )
