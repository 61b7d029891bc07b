"""History of keys as text or JSON, written during the replay."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable

from rdbtool.core.errors import clean, json_bytes
from rdbtool.core.light_typing import Final, NamedTuple, Protocol, Self
from rdbtool.operations.history.history import KEPT_KEYS, KeyChoice, KeyEnd, KeyHistory, KeysEnd, Touch
from rdbtool.report.formatting import key_argument, show_bytes, show_count, show_time
from rdbtool.report.screen import Screen, Styled, emphasize, name

#: Styles of the effects that stand out.
_EFFECT_STYLES: Final = {"created": "good", "deleted": "lost", "error": "bad", "unknown": "warning"}


#: Maximum bytes of a key in a command line to be copied.
_LONGEST_ARGUMENT: Final = 200

#: Columns for a key; a longer one moves the rest of its line.
_KEY_WIDTH: Final = 16


class HistorySink(Protocol):
    """Receives the records that touched a key, then the conclusion."""

    def on_touch(self, touch: Touch) -> None:
        """Write a record."""

    def close(self, history: KeyHistory) -> None:
        """Write the conclusion."""


class CommandLine(NamedTuple):
    """What the next command has in common with this one: the input, and options of the replay."""

    source: str
    options: tuple[str, ...] = ()


class LargePieces:
    """Hands on what is written in pieces of at least ``size`` bytes; the rest at the end, also after an error."""

    def __init__(self, write: Callable[[bytes], object], *, size: int) -> None:
        self._write = write
        self._size = size
        self._pieces: list[bytes] = []
        self._gathered = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Hand on the rest."""
        self._flush()

    def write(self, data: bytes) -> None:
        """Take data."""
        self._pieces.append(data)
        self._gathered += len(data)
        if self._gathered >= self._size:
            self._flush()

    def _flush(self) -> None:
        pieces, self._pieces, self._gathered = self._pieces, [], 0
        if pieces:
            self._write(b"".join(pieces))


class HistoryText:
    """One line per record; at the end, whether the key exists, and how to get a deleted one back.

    Where there can be several keys, each line names the one that it is about, and the end says that of each key, or
    what became of all together if there are too many.
    """

    def __init__(self, write: Callable[[bytes], object], chosen: KeyChoice, screen: Screen, given: CommandLine) -> None:
        self._write = write
        self._screen = screen
        self._given = given
        self._chosen = chosen
        self._is_one = chosen.only is not None
        width = max((len(show_bytes(key, bare=True)) for key in chosen.exact), default=0)
        self._width = min(width if not chosen.globs and not chosen.patterns else _KEY_WIDTH, _KEY_WIDTH)
        self._part = ""
        #: The last time and its text.
        self._time: tuple[int | None, str] = None, "-"

    def on_touch(self, touch: Touch) -> None:
        """Write a record under the name of its file."""
        if touch.part != self._part:
            self._part = touch.part
            self._put(name(touch.part))
        if touch.time != self._time[0]:
            self._time = touch.time, "-" if touch.time is None else show_time(touch.time * 1000)
        number = "" if touch.number is None else f"#{touch.number}"
        multi = "  (in a transaction)" if touch.in_transaction else ""
        command = touch.command or f"{touch.kind}"
        head = f"  {self._time[1]:<20}  {touch.offset:#010x}  {number:>8}  db {touch.db:<2}  "
        key = show_bytes(touch.key, bare=True)
        if not self._screen.has_colours:
            # There may be millions of lines.
            shown = "" if self._is_one else f"{key:<{self._width}}  "
            line = clean(f"{head}{shown}{_describe(touch)}:  {command}{multi}").rstrip(" ")
            self._write(f"{line}\n".encode())
            return
        self._put(
            head,
            *(() if self._is_one else (name(key), " " * (self._width - len(key)), "  ")),
            Styled(
                _describe(touch), next((_EFFECT_STYLES[word] for word in touch.effects if word in _EFFECT_STYLES), "")
            ),
            ":  ",
            *emphasize(command, name(key)),
            multi,
        )

    def close(self, history: KeyHistory) -> None:
        """Write how often each key was touched, whether it exists, and who deleted it."""
        if history.summary is None:
            self._conclude(KeyEnd(history.key, history.touches, history.states, history.deletions), history)
        elif history.keys is None:
            self._sum_up(history.summary, history)
        elif not history.keys:
            self._put("no record touched a key that matches")
        else:
            for end in history.keys:
                self._conclude(end, history)
        if history.summary is not None and history.touches:
            self._warn(history, "them")

    def _conclude(self, end: KeyEnd, history: KeyHistory) -> None:
        """Write what became of a key."""
        shown = name(show_bytes(end.key))
        if not end.touches:
            self._put("no record touched ", shown)
            return
        self._put(f"{show_count(end.touches, 'record')} touched ", shown)
        for state in end.states:
            expiry = "" if state.expire_at_ms is None else f", expires {show_time(state.expire_at_ms)}"
            self._put(f"  db {state.db}: ", Styled("exists", "good"), f": {state.kind}{expiry}")
        for touch in end.deletions:
            self._put(f"  db {touch.db}: ", *_deleted_by(touch))
        if history.summary is None:
            self._warn(history, "it")
        last = max(end.deletions, key=lambda touch: touch.number or 0, default=None)
        if last is not None and len(end.key) <= _LONGEST_ARGUMENT:
            db = ("--db", f"{last.db}") if last.db else ()
            self._advise(("get", self._given.source, key_argument(end.key), *db), "the key", last, history)

    def _sum_up(self, summary: KeysEnd, history: KeyHistory) -> None:
        """Write what became of all keys together."""
        self._put(f"{show_count(summary.touches, 'record')} touched more than {KEPT_KEYS} keys")
        for db, keys in summary.left.items():
            self._put(f"  db {db}: ", Styled(f"{show_count(keys, 'key')}", "good"), " at the end")
        last = summary.last_deletion
        if last is None:
            return
        some = show_count(summary.deletions, "deletion")
        self._put(f"  {some}, the last: db {last.db}: ", name(show_bytes(last.key)), " ", *_deleted_by(last))
        chosen = self._chosen
        words = (
            *(word for key in chosen.exact for word in ("--exact-key", key_argument(key))),
            *(word for glob in chosen.globs for word in ("--glob", os.fsdecode(glob))),
            *(word for pattern in chosen.patterns for word in ("--key", os.fsdecode(pattern.pattern))),
        )
        if sum(map(len, words)) <= _LONGEST_ARGUMENT and all(map(str.isprintable, words)):
            self._advise(("dump", self._given.source, *words), "these keys", last, history)

    def _warn(self, history: KeyHistory, what: str) -> None:
        """Write which commands have unknown effects."""
        if history.unfollowed:
            self._put(Styled("commands of unknown effect", "warning"), f", which may have touched {what}:")
        for command, times, first in history.unfollowed:
            more = f"{show_count(times, 'time')}, the first " if times > 1 else ""
            self._put(f"  {command}: {more}in {first.part} at {first.offset:#x}, command {first.number}")

    def _advise(self, show: tuple[str, ...], shown: str, last: Touch, history: KeyHistory) -> None:
        """Write which commands show what was deleted, and recover the dataset, as they were before a deletion."""
        source, options = self._given
        if last.number is None or source == "-" or not source.isprintable():
            return
        output = "recovered.aof" if len(history.loaded.parts) == 1 else "recovered/"
        stop = (*options, "--until", f"n:{last.number - 1}")
        steps = (
            shlex.join(("rdbtool", *show, *stop)),
            shlex.join(("rdbtool", "aof-rewrite", source, "-o", output, *stop)),
        )
        # A replay that stops inside a transaction executes none of it.
        when = "before its transaction" if last.in_transaction else "before that"
        width = max(map(len, steps))
        for label, step, what in zip(("next", "    "), steps, (shown, "all keys"), strict=True):
            self._put("  ", Styled(label, "next"), f"  {step:<{width}}  ", Styled(f"{what} {when}", "aside"))

    def _put(self, *line: str | Styled) -> None:
        self._write(f"{self._screen.render(line)}\n".encode())


class HistoryJson:
    """One object, with one record per line, written during the replay."""

    def __init__(self, write: Callable[[bytes], object], chosen: KeyChoice) -> None:
        self._write = write
        self._names_key = chosen.only is None
        head = json.dumps(chosen.to_dict() if chosen.only is None else json_bytes(chosen.only))
        # Written with the first record: an AOF that cannot be replayed gets no report.
        self._separator = self._head = f'{{"schema":1,"{"filters" if self._names_key else "key"}":{head},"records":[\n'

    def on_touch(self, touch: Touch) -> None:
        """Write a record."""
        self._write((self._separator + json.dumps(touch.to_dict(names_key=self._names_key))).encode())
        self._separator = ",\n"

    def close(self, history: KeyHistory) -> None:
        """Write whether the key exists, and how the AOF ended."""
        opening = self._head.removesuffix("\n") if self._separator is self._head else ""
        self._write(f"{opening}\n],{json.dumps(history.end_dict())[1:]}\n".encode())


def history_sink(
    write: Callable[[bytes], object], chosen: KeyChoice, *, as_json: bool, screen: Screen, given: CommandLine
) -> HistorySink:
    """Return the sink that writes the history of keys; ``given`` is for what to do next."""
    return HistoryJson(write, chosen) if as_json else HistoryText(write, chosen, screen, given)


def _deleted_by(touch: Touch) -> tuple[Styled, str]:
    """Return which command deleted a key, and where it stands."""
    words = f"deleted by command {touch.number}, {touch.command}"
    return Styled(words, "lost"), f", {touch.part} at {touch.offset:#x}"


def _describe(touch: Touch) -> str:
    words = touch.effects[0] if len(touch.effects) == 1 else ", ".join(touch.effects)
    if touch.error:
        words += f" ({touch.error})"
    if touch.sets_expiry and touch.expire_at_ms is not None:
        words += f" (expires {show_time(touch.expire_at_ms)})"
    return words
