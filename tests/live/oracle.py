"""What a server makes of an AOF, and whether rdbtool makes the same of it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import server
from command import run
from whole import whole

from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.location import Span
from rdbtool.core.servers import Rules
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.model import (
    FunctionLibrary,
    HashValue,
    KeyRecord,
    OpaqueValue,
    StreamConsumer,
    StreamGroup,
    StreamProducers,
    StreamValue,
)
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.rdb import open_rdb

#: What Redis 8.6 saves of a stream that no idempotent producer ever touched.
NO_PRODUCERS = StreamProducers(100, 100)


class Dataset(NamedTuple):
    """Comparable records by database and key, and the code of function libraries."""

    records: dict[tuple[int, bytes], KeyRecord]
    functions: list[bytes]

    def fingerprint(self) -> str:
        """Return the fingerprint of everything."""
        sink = Fingerprint(signed_zeros=False)
        for record in self.records.values():
            feed_record(record, sink)
        for code in self.functions:
            feed_item(FunctionLibrary(code, released=True, span=Span(-1, -1)), sink)
        return sink.hexdigest()

    def differences(self, other: Dataset) -> list[str]:
        """Return what is not the same, for people."""
        found = [f"{place} only in the first" for place in self.records.keys() - other.records.keys()]
        found += [f"{place} only in the second" for place in other.records.keys() - self.records.keys()]
        for place in self.records.keys() & other.records.keys():
            mine, theirs = self.records[place], other.records[place]
            if mine.expire_at_ms != theirs.expire_at_ms:
                found.append(f"{place} expires at {mine.expire_at_ms} and {theirs.expire_at_ms}")
            if mine.value != theirs.value:
                found.append(f"{place}: {_shown(mine)}\n    and {_shown(theirs)}")
        if self.functions != other.functions:
            found.append(f"libraries {self.functions} and {other.functions}")
        return found


class Served(NamedTuple):
    """What a server answered after it loaded an AOF, between two moments (Unix ms): DEBUG DIGEST, and what it saved."""

    began_ms: int
    loaded_ms: int
    digest: str | None
    dataset: Dataset


def serve(tools: server.Tools, aof: Path, *, at_start: bool) -> Served:
    """Let a server load a copy of an AOF: as it starts, or later, when it was told not to expire anything."""
    config = {"appendonly": "yes" if at_start else "no"}
    began_ms = int(time.time() * 1000)
    with server.run_server(tools, files={aof.name: aof}, config=config) as running:
        running.client("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        if not at_start:
            running.client("DEBUG", "LOADAOF")
        loaded_ms = int(time.time() * 1000)
        # Redis up to 3.2 may crash over keys that have expired.
        digest = running.digest() if at_start or tools.version >= (5, 0) else None
        with open_rdb(running.save()) as reader:
            records = list(reader)
            return Served(began_ms, loaded_ms, digest, dataset(records, [library.code for library in reader.functions]))


def dataset(records: Iterable[KeyRecord], functions: Iterable[bytes]) -> Dataset:
    """Return records without what is no part of a comparison: eviction data, and when consumers were last seen."""
    comparable = {
        (record.db, record.key): KeyRecord(
            db=record.db, key=record.key, value=_comparable(record.value), expire_at_ms=record.expire_at_ms
        )
        for record in records
    }
    return Dataset(comparable, sorted(functions))


def _comparable(value: object) -> object:
    if not isinstance(value, StreamValue):
        return value
    groups = [
        StreamGroup(
            group.name,
            group.last_id,
            group.entries_read,
            sorted((StreamConsumer(consumer.name) for consumer in group.consumers), key=lambda each: each.name),
            group.pending,
        )
        for group in sorted(value.groups, key=lambda group: group.name)
    ]
    return StreamValue(
        value.entries,
        last_id=value.last_id,
        first_id=value.first_id,
        max_deleted_id=value.max_deleted_id,
        entries_added=value.entries_added,
        groups=groups,
        producers=None if value.producers == NO_PRODUCERS else value.producers,
    )


def without_counters(whole: Dataset) -> Dataset:
    """Return a dataset as servers before 7.0 save it: their files have no counters of streams and groups."""
    return Dataset({place: _without_counters(record) for place, record in whole.records.items()}, whole.functions)


def without_expired(whole: Dataset) -> Dataset:
    """Return a dataset without the keys that have expired by now."""
    now_ms = int(time.time() * 1000)
    kept = {place: record for place, record in whole.records.items() if (record.expire_at_ms or now_ms) >= now_ms}
    return Dataset(kept, whole.functions)


def _without_counters(record: KeyRecord) -> KeyRecord:
    stream = record.value
    if not isinstance(stream, StreamValue):
        return record
    groups = [StreamGroup(group.name, group.last_id, None, group.consumers, group.pending) for group in stream.groups]
    return KeyRecord(
        db=record.db,
        key=record.key,
        value=StreamValue(stream.entries, last_id=stream.last_id, groups=groups),
        expire_at_ms=record.expire_at_ms,
    )


def _shown(record: KeyRecord) -> str:
    value = record.value
    if isinstance(value, StreamValue):
        text = (
            f"{len(value.entries)} entries last {value.last_id} first {value.first_id} "
            f"deleted {value.max_deleted_id} added {value.entries_added} {whole(value.producers)} groups "
            + ", ".join(
                f"{group.name!r} {group.last_id} {group.entries_read} {[each.name for each in group.consumers]} "
                f"{[(str(p.id), p.consumer, p.delivered_at_ms, p.delivery_count) for p in group.pending]}"
                for group in value.groups
            )
            + f" {[str(entry.id) for entry in value.entries]}"
        )
    else:
        parts = ("data", "elements", "members", "fields")
        found = next((getattr(value, name) for name in parts if hasattr(value, name)), value)
        text = repr(sorted(found) if isinstance(found, tuple) and record.kind != "list" else found)
    return f"{record.kind} {text[:200]}"


def digest_of(data: Dataset, rules: str, now_ms: int) -> str:
    """Return the digest of a dataset by the rules of a server."""
    sink = Digest(rules, now_ms)
    for record in data.records.values():
        feed_record(record, sink)
    return sink.hexdigest()


def replay(aof: Path, rules: str | None, now_ms: int) -> tuple[Loaded, Dataset]:
    """Return the replay of an AOF and the dataset that it leads to."""
    with open_any(aof) as reader:
        loaded = replay_log(reader, Options(rules=None if rules is None else Rules.parse(rules), now_ms=now_ms))
    engine = loaded.replay.engine
    return loaded, dataset(engine.records(), engine.functions.values())


def has_expired(data: Dataset, now_ms: int) -> bool:
    """Return whether the lifetime of a key or field ends before ``now_ms`` (Unix ms)."""
    for record in data.records.values():
        if record.expire_at_ms is not None and record.expire_at_ms < now_ms:
            return True
        if isinstance(record.value, HashValue) and any((field[2] or now_ms) < now_ms for field in record.value.fields):
            return True
    return False


class Verdict(NamedTuple):
    """What rdbtool would not say, and what it got wrong.

    ``doubts`` arise under the server's rules, ``guesses`` where no rules are named; ``refusal`` is why it did not
    rewrite.
    """

    doubts: list[str]
    guesses: list[str]
    refusal: str
    differences: list[str]


class Oracle:
    """Compares what rdbtool makes of one AOF with what the server ``tools`` makes of it."""

    def __init__(self, tools: server.Tools, aof: Path) -> None:
        self.tools = tools
        self.aof = aof
        self.doubts: list[str] = []
        self.guesses: list[str] = []
        self.differences: list[str] = []
        self.refusal = ""
        now_ms = int(time.time() * 1000)
        _, expected = replay(aof, tools.rules, now_ms)
        # Far enough from now, so that nothing expires while all this is compared.
        self.at_start = not has_expired(expected, now_ms + 60_000)
        self.served = serve(tools, aof, at_start=self.at_start)

    def compare(self, scratch: Path, *, form: tuple[str, ...]) -> Verdict:
        """Compare replays, digests, and a rewrite with the options ``form`` on a copy in ``scratch``."""
        for rules in (None, self.tools.rules):
            self._compare_replay(rules)
        if not self.differences and not self.doubts:
            self._compare_rewrite(scratch, form)
        return Verdict(self.doubts, self.guesses, self.refusal, self.differences)

    def _compare_replay(self, rules: str | None) -> None:
        where = f"rules {rules}"
        loaded, found = replay(self.aof, rules, self.served.loaded_ms)
        if loaded.fault is not None:
            self.differences.append(f"{where}: damage: {loaded.fault}")
            return
        words = [] if rules is None else ["--rules", rules]
        done = run("digest", self.aof, "--json", "--now", str(self.served.loaded_ms), *words)
        if loaded.doubts:
            (self.guesses if rules is None else self.doubts).extend(
                f"{where}: {finding.code} {finding.message}" for finding in loaded.doubts[:3]
            )
            opaque = any(isinstance(record.value, OpaqueValue) for record in found.records.values())
            if done.code != (4 if opaque else 1):
                self.differences.append(f"{where}: doubt, and digest ends with {done.code}")
            return
        if done.code != 0:
            self.differences.append(f"{where}: digest ends with {done.code}: {done.err}")
            return
        expected = self.served.dataset
        self._compare(where, found, expected)
        report = json.loads(done.out)
        digest = self.served.digest
        if report["rules"] != self.tools.rules:
            digest = digest_of(expected, report["rules"], self.served.loaded_ms)
        if digest is not None and report["digest"] != digest:
            self.differences.append(f"{where}: digest {report['digest']} instead of {digest} ({report['rules']})")

    def _compare(self, where: str, found: Dataset, expected: Dataset) -> None:
        if self.tools.family == "redis" and self.tools.version < (7, 0):
            found, expected = without_counters(found), without_counters(expected)
            found = self._with_clock(found, expected)
        if self.tools.version < (5, 0):
            # These do not save what has expired.
            found, expected = without_expired(found), without_expired(expected)
        if found.fingerprint() != expected.fingerprint():
            self.differences += [f"{where}: {text}" for text in found.differences(expected)] or [
                f"{where}: the fingerprints differ, no record does"
            ]

    def _with_clock(self, found: Dataset, expected: Dataset) -> Dataset:
        """Servers before 7.0 log lifetimes of RESTORE as they are: counted from when each command was loaded."""
        spans = {
            place: record.expire_at_ms - expected.records[place].expire_at_ms
            for place, record in found.records.items()
            if record.expire_at_ms is not None and place in expected.records and expected.records[place].expire_at_ms
        }
        limit = self.served.loaded_ms - self.served.began_ms
        moved = {place for place, span in spans.items() if 0 < span <= limit}
        records = {
            place: KeyRecord(
                db=record.db,
                key=record.key,
                value=record.value,
                expire_at_ms=expected.records[place].expire_at_ms if place in moved else record.expire_at_ms,
            )
            for place, record in found.records.items()
        }
        return Dataset(records, found.functions)

    def _compare_rewrite(self, scratch: Path, form: tuple[str, ...]) -> None:
        copy = scratch / self.aof.name
        if self.aof.is_dir():
            shutil.copytree(self.aof, copy)
        else:
            shutil.copyfile(self.aof, copy)
        done = run("aof-rewrite", "--in-place", copy, "--now", str(self.served.loaded_ms), "-q", *form)
        if done.code == 1:
            self.refusal = done.err
            return
        where = f"aof-rewrite {' '.join(form)}"
        if done.code != 0:
            self.differences.append(f"{where} ends with {done.code}: {done.err}")
            return
        again = serve(self.tools, copy, at_start=self.at_start)
        self._compare(where, again.dataset, self.served.dataset)
        digest = self.served.digest
        if digest is not None and not self.at_start:
            # Fields may have expired since.
            digest = digest_of(self.served.dataset, self.tools.rules, again.loaded_ms)
        if again.digest != digest:
            self.differences.append(f"{where}: the server's digest is {again.digest} instead of {digest}")
