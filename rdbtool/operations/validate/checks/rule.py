"""The class of rules (code, severity, texts, and the servers that refuse the file), and the rules of keys.

``refuses`` is about loading a dump.rdb with that server's defaults (format B1 to B3). Redis checks packed values only
on request, up to its newest release; Valkey always does since 9.1.
"""

from __future__ import annotations

# Where collections.abc takes it from: that is a part of collections, which takes a millisecond.
from _collections_abc import Callable

from rdbtool._codec.sinks.check import Flagged
from rdbtool.core.errors import describe_key
from rdbtool.core.light_typing import Final, Literal, NamedTuple
from rdbtool.core.servers import Rules

Severity = Literal["error", "warning", "note"]


class Loading(NamedTuple):
    """A server that loads a value of a type (its number, -1: no value); ``is_small``: small enough to be packed."""

    rules: Rules
    type_code: int = -1
    is_small: bool = False

    def is_since(self, redis: tuple[int, int] | None, valkey: tuple[int, int] | None) -> bool:
        """Whether the server is of the given release or later; None: no release of that family."""
        return self.rules.has(redis, valkey)


#: Whether a server refuses the file.
Refuses = Callable[[Loading], bool]

#: Maximum bytes of a path shown.
_SHOWN: Final = 40


class Rule(NamedTuple):
    """One rule. ``words`` and ``path`` take a row of the Check sink."""

    code: str
    severity: Severity
    words: Callable[[Flagged], str]
    path: Callable[[Flagged], str]
    refuses: Refuses


def never(_: Loading) -> bool:
    """Return False: no server refuses it."""
    return False


def always(_: Loading) -> bool:
    """Return True: every server refuses it."""
    return True


def since(redis: tuple[int, int] | None, valkey: tuple[int, int] | None = (0, 0)) -> Refuses:
    """Return a predicate: servers from these releases on refuse it."""
    return lambda loading: loading.is_since(redis, valkey)


#: Only servers that check every packed value during loading.
only_deep: Final = since(None, (9, 1))


def whole(_: Flagged) -> str:
    """Return the path of the whole value."""
    return ""


def indexed(word: str) -> Callable[[Flagged], str]:
    """Return the path of an element, such as ``member[3]``."""
    return lambda row: f"{word}[{row.at}]"


def in_group(word: str = "") -> Callable[[Flagged], str]:
    """Return the path within a group, such as ``group "g".pending[1]``."""

    def path(row: Flagged) -> str:
        group = f"group {quoted(row.data)}"
        if row.at >= 0:
            return f"{group}.{word}[{row.at}]"
        return f"{group}.{word} {quoted(row.inner)}" if word and row.inner is not None else group

    return path


def quoted(data: bytes | None) -> str:
    """Return the first bytes of a name, printable."""
    return describe_key(data or b"", _SHOWN)


def stream_id(row: Flagged, at: int) -> str:
    """Return the ID in two of the facts."""
    return f"{row.facts[at]}-{row.facts[at + 1]}"


#: The rules of keys: names, expiry, eviction data.
KEY_RULES: Final[dict[str, Rule]] = {
    "duplicate-key": Rule("RDB301", "error", lambda _: "the key occurs twice in its database", whole, always),
    "empty-key": Rule("RDB302", "note", lambda _: "a key with an empty name", whole, never),
    "expire-not-positive": Rule(
        "RDB303",
        "warning",
        lambda row: f"the key expires at {row.facts[0]} ms, which is before 1970",
        whole,
        never,
    ),
    "expire-far": Rule(
        "RDB304",
        "warning",
        lambda row: f"the key expires at {row.facts[0]} ms, which is after the year 9999",
        whole,
        never,
    ),
    "idle-and-freq": Rule(
        "RDB305",
        "warning",
        lambda row: (
            f"the key has an idle time ({row.facts[0]} s) and a frequency ({row.facts[1]}): servers write one of them"
        ),
        whole,
        never,
    ),
}
