"""History of a key as text or JSON, written during the replay."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

from rdbtool.core.errors import json_bytes
from rdbtool.core.light_typing import Final, NamedTuple, Protocol
from rdbtool.operations.history.history import KeyHistory, Touch
from rdbtool.report.formatting import key_argument, show_bytes, show_count, show_time
from rdbtool.report.screen import Screen, Styled, emphasize, name

#: Styles of the effects that stand out.
_EFFECT_STYLES: Final = {"created": "good", "deleted": "lost", "error": "bad", "unknown": "warning"}


#: Maximum bytes of a key in a command line to be copied.
_LONGEST_ARGUMENT: Final = 200


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


class HistoryText:
    """One line per record; at the end, whether the key exists, and how to get a deleted one back."""

    def __init__(self, write: Callable[[bytes], object], key: bytes, screen: Screen, given: CommandLine) -> None:
        self._write = write
        self._screen = screen
        self._given = given
        self._raw_key = key
        self._key = show_bytes(key)
        self._bare_key = show_bytes(key, bare=True)
        self._part = ""

    def on_touch(self, touch: Touch) -> None:
        """Write a record under the name of its file."""
        if touch.part != self._part:
            self._part = touch.part
            self._put(name(touch.part))
        time = "-" if touch.time is None else show_time(touch.time * 1000)
        number = "" if touch.number is None else f"#{touch.number}"
        multi = "  (in a transaction)" if touch.in_transaction else ""
        command = touch.command or f"{touch.kind}"
        self._put(
            f"  {time:<20}  {touch.offset:#010x}  {number:>8}  db {touch.db:<2}  ",
            Styled(
                _describe(touch), next((_EFFECT_STYLES[word] for word in touch.effects if word in _EFFECT_STYLES), "")
            ),
            ":  ",
            *emphasize(command, name(self._bare_key)),
            multi,
        )

    def close(self, history: KeyHistory) -> None:
        """Write how often the key was touched, whether it exists, and who deleted it."""
        if not history.touches:
            self._put("no record touched ", name(self._key))
            return
        self._put(f"{show_count(history.touches, 'record')} touched ", name(self._key))
        for state in history.states:
            expiry = "" if state.expire_at_ms is None else f", expires {show_time(state.expire_at_ms)}"
            self._put(f"  db {state.db}: ", Styled("exists", "good"), f": {state.kind}{expiry}")
        for touch in history.deletions:
            where = f"{touch.part} at {touch.offset:#x}"
            self._put(
                f"  db {touch.db}: ",
                Styled(f"deleted by command {touch.number}, {touch.command}", "lost"),
                f", {where}",
            )
        if history.unfollowed:
            self._put(Styled("commands of unknown effect", "warning"), ", which may have touched it:")
        for command, times, first in history.unfollowed:
            more = f"{show_count(times, 'time')}, the first " if times > 1 else ""
            self._put(f"  {command}: {more}in {first.part} at {first.offset:#x}, command {first.number}")
        self._advise(history)

    def _advise(self, history: KeyHistory) -> None:
        """Write which commands print a deleted key, and recover the dataset, as they were before the last deletion."""
        source, options = self._given
        last = max(history.deletions, key=lambda touch: touch.number or 0, default=None)
        is_typeable = source != "-" and source.isprintable() and len(self._raw_key) <= _LONGEST_ARGUMENT
        if last is None or last.number is None or not is_typeable:
            return
        db = ("--db", f"{last.db}") if last.db else ()
        output = "recovered.aof" if len(history.loaded.parts) == 1 else "recovered/"
        stop = (*options, "--until", f"n:{last.number - 1}")
        steps = (
            shlex.join(("rdbtool", "get", source, key_argument(self._raw_key), *db, *stop)),
            shlex.join(("rdbtool", "aof-rewrite", source, "-o", output, *stop)),
        )
        # A replay that stops inside a transaction executes none of it.
        when = "before its transaction" if last.in_transaction else "before that"
        width = max(map(len, steps))
        for label, step, what in zip(("next", "    "), steps, ("the key", "all keys"), strict=True):
            self._put("  ", Styled(label, "next"), f"  {step:<{width}}  ", Styled(f"{what} {when}", "aside"))

    def _put(self, *line: str | Styled) -> None:
        self._write(f"{self._screen.render(line)}\n".encode())


class HistoryJson:
    """One object, with one record per line, written during the replay."""

    def __init__(self, write: Callable[[bytes], object], key: bytes) -> None:
        self._write = write
        # Written with the first record: an AOF that cannot be replayed gets no report.
        self._separator = self._head = f'{{"schema":1,"key":{json.dumps(json_bytes(key))},"records":[\n'

    def on_touch(self, touch: Touch) -> None:
        """Write a record."""
        self._write((self._separator + json.dumps(touch.to_dict())).encode())
        self._separator = ",\n"

    def close(self, history: KeyHistory) -> None:
        """Write whether the key exists, and how the AOF ended."""
        opening = self._head.removesuffix("\n") if self._separator is self._head else ""
        self._write(f"{opening}\n],{json.dumps(history.end_dict())[1:]}\n".encode())


def history_sink(
    write: Callable[[bytes], object], key: bytes, *, as_json: bool, screen: Screen, given: CommandLine
) -> HistorySink:
    """Return the sink that writes the history of ``key``; ``given`` is for what to do next."""
    return HistoryJson(write, key) if as_json else HistoryText(write, key, screen, given)


def _describe(touch: Touch) -> str:
    words = ", ".join(touch.effects)
    if touch.error:
        words += f" ({touch.error})"
    if touch.sets_expiry and touch.expire_at_ms is not None:
        words += f" (expires {show_time(touch.expire_at_ms)})"
    return words
