"""The error tree, findings, the one function that words an error, and how bytes and names are shown.

Every failure that a file, a pipe or a request can cause is one of these classes; each has the
exit code that the commands answer with. Nothing else may reach a user.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple, Self

from rdbtool.core.location import Where

#: What is wrong with bytes, whatever the words of the message: a cause says how, the code of an error says where.
#: Whoever finds a fault names its cause, and whoever has to decide asks for it.
Cause = Literal[
    "cut",  # the data ends where more has to follow
    "empty",  # nothing stands where something has to be
    "size",  # a size, or an offset, is not that of what it is about
    "count",  # a count is not the number of what is there, or cannot be one
    "range",  # a value is outside of what the format allows
    "encoding",  # a byte or a word stands for nothing in its place
    "type",  # a type or an opcode is unknown, or has no place there
    "entry",  # an entry of a packed value cannot be read
    "end-mark",  # no end mark stands at the end of a packed value
    "line-end",  # a line or an argument does not end as it has to
    "number",  # a text, or an element, is no number
    "number-prefix",  # a text begins like a number and goes on like none
    "order",  # what has to ascend does not
    "twice",  # what has to be there once is there again
    "reference",  # what is referred to is not there, or is something else
    "pending",  # the pending lists of a consumer group contradict one another
    "node-counter",  # a number of a stream node that only checks compare: count, deleted, lp_count, terminator
    "node-master",  # the master entry of a stream node ends early
    "node-record",  # a record of a stream node ends early
    "transaction",  # a MULTI has no EXEC
    "version",  # a version that was never written
    "old-version",  # the version is older than what the file holds
    "checksum",  # a checksum is not that of the data
    "compression",  # compressed data cannot be inflated to what it declares
    "syntax",  # a line cannot be split into words or values
    "member",  # a member or a key of a line is missing, unknown or there twice
    "name",  # a name is none that can be
    "unreadable",  # anything else
]

#: What kind of file a fault is in: a snapshot within an AOF is an RDB. ``compressed``: what stands around a file.
FileKind = Literal["rdb", "aof", "manifest", "jsonl", "compressed"]

#: Bytes of a file name that are shown.
_LONGEST_NAME: Final = 4096

#: What terminals and editors obey: C0, DEL, C1, separators of lines, and what turns the direction of writing.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

#: How Python spells the bytes 0x80 to 0xff of names that are no UTF-8.
_FIRST_STRAY: Final = 0xDC80
_LAST_STRAY: Final = 0xDCFF


class Remedy(NamedTuple):
    """What to do about an error, for whoever runs a command and for whoever calls a function; each follows the message.

    An option of a command is an argument of a function, and neither should have to know the other's words.
    """

    command: str
    python: str


#: What to do where a value is larger than rdbtool reads.
RAISE_LIMIT: Final = Remedy(" (--max-value SIZE raises it)", " (rdbtool.limited(max_value=...) raises it)")


class RdbToolError(Exception):
    """Base of all errors that rdbtool raises on purpose. ``exit_code`` is what a command ends with.

    ``str`` of it is for those who call functions: ``remedy`` in their words follows the message.
    """

    exit_code = 3

    def __init__(self, message: str = "", *, remedy: Remedy | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else self.message + self.remedy.python


#: What to do where an output exists.
USE_FORCE: Final = Remedy(" (use --force to replace it)", " (use force=True to replace it)")


class InputError(RdbToolError):
    """A source cannot be opened or read, or an output cannot be written."""


class NotFoundError(InputError):
    """A source was read, and has no such key, record or command."""

    exit_code = 1


class LimitError(InputError):
    """A source may be sound, but answering would take more memory than the caller allowed."""


class WrapperError(InputError):
    """A source is an archive, an encoding or another kind of file, which has to be unwrapped before it is read."""


class OversizeError(LimitError):
    """A value is above rdbtool's own limit: ``what`` it is (a string), and ``size`` and ``limit`` in bytes.

    ``at`` is the file offset of its string, and ``where`` has the key.
    """

    def __init__(self, at: int, what: str, size: int, limit: int, where: Where | None = None) -> None:
        super().__init__(remedy=RAISE_LIMIT)
        self.at = at
        self.what = what
        self.size = size
        self.limit = limit
        self.place(where or Where())

    def place(self, where: Where) -> None:
        """Say where it is, which is known later than that it is."""
        self.where = where
        self.message = f"{_locate(self)}{self.what} of {self.size:,} bytes, above the limit of {self.limit:,} bytes"


class UnsupportedError(RdbToolError):
    """A source may be sound, but this release does not know its format, version or types."""

    exit_code = 4


class UnknownFormatError(UnsupportedError):
    """A source is none of the formats that are read here; ``head`` is what it begins with."""

    def __init__(self, message: str, head: bytes) -> None:
        super().__init__(message)
        self.head = head


class ReplayError(RdbToolError):
    """A command of a log does not do what a log's command should, and ``strict`` was asked for."""

    exit_code = 1


class PlaceError(RdbToolError):
    """An AOF does not have the place that a replay was to stop at, or the command that it was to skip."""

    exit_code = 1

    @classmethod
    def no_commands(cls, source: str) -> Self:
        """Return the error for places in what is no AOF."""
        return cls(f"{source} is no AOF: it has no commands, so none to stop at or to skip")


class UncertainError(RdbToolError):
    """The effects of some commands of an AOF are unknown, so the dataset is uncertain.

    ``findings`` are the first of them, ``count`` is how many commands there are in all.
    """

    exit_code = 1

    def __init__(self, findings: Sequence[Finding], count: int, *, remedy: Remedy | None = None) -> None:
        first = findings[0]
        others = "" if count == 1 else f"\n  {count:,} commands have an unknown effect"
        number = "" if first.number is None else f", command {first.number:,}"
        super().__init__(
            f"{first.part}: at {first.offset:#x}{number}: {first.message} ({first.code}): the dataset is uncertain"
            f"{others}",
            remedy=remedy,
        )
        self.findings = tuple(findings)
        self.count = count


_LOOK: Final = Remedy(
    "\n  next: rdbtool validate lists everything, rdbtool repair mends it",
    "\n  next: rdbtool.validate lists everything, rdbtool.repair mends it",
)


class InvalidDataError(RdbToolError):
    """Data that can be read, and that servers refuse or misread: an element twice, an empty collection, a wrong order.

    ``finding`` says what and where; ``line`` is the number of the line that holds it, where the source has lines.
    """

    exit_code = 1

    def __init__(self, finding: Finding, *, line: int | None = None) -> None:
        place = finding.part
        if line is not None:
            place += f": line {line}"
        elif finding.offset >= 0:
            place += f": at {finding.offset:#x}"
        if finding.key is not None:
            place += f": key {describe_key(finding.key)} of db {finding.db}"
            place += f" ({finding.kind})" if finding.kind else ""
        if finding.path:
            place += f": {finding.path}"
        super().__init__(f"{place}: {finding.message} ({finding.code})", remedy=_LOOK if line is None else None)
        self.finding = finding
        self.line = line


class Loss(NamedTuple):
    """What a target cannot hold, or not as the source has it.

    A ``loss`` changes the data; a ``note`` is about what servers find out anew, do without or only report.
    ``db`` and ``key`` are None for what is no key's; a note names the first key. ``times`` is how many
    parts or keys it is about, ``needs`` the first RDB version of Redis that would hold it, if any does.
    """

    db: int | None
    key: bytes | None
    what: str
    severity: Literal["loss", "note"]
    times: int
    needs: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the loss as reports have it."""
        key = None if self.key is None else json_bytes(self.key)
        return {"what": self.what, "times": self.times, "db": self.db, "key": key, "needs_rdb": self.needs}


class LossError(RdbToolError):
    """A target cannot hold what is to be written, and losses were not allowed."""

    exit_code = 1

    def __init__(self, loss: Loss, magic: str, version: int) -> None:
        place = "" if loss.key is None else f" (key {describe_key(loss.key)} of db {loss.db})"
        some = "" if loss.times == 1 else f"{loss.times} "
        where = f"; Redis can since RDB {loss.needs}" if loss.needs is not None else ""
        name = "RDB" if magic == "REDIS" else "Valkey RDB"
        remedy = Remedy("; --allow-loss drops what it cannot hold", "; allow_loss=True drops what it cannot hold")
        super().__init__(f"{name} {version} cannot hold {some}{loss.what}{place}{where}", remedy=remedy)
        self.loss = loss
        self.magic = magic
        self.version = version


class CollisionError(RdbToolError):
    """Two keys would become one, by a rename or by a move to another database.

    ``first``, ``second`` and ``place``, that which both would get, are each a database and a key.
    """

    exit_code = 1

    def __init__(self, first: tuple[int, bytes], second: tuple[int, bytes], place: tuple[int, bytes]) -> None:
        one, other, both = (f"{describe_key(key)} of db {db}" for db, key in (first, second, place))
        words = f"{one} and {other} would both become {both}" if first != second else f"{one} is there twice"
        super().__init__(f"two keys cannot have one name: {words}")
        self.first = first
        self.second = second
        self.place = place


class FormatError(RdbToolError):
    """Bytes that no server writes.

    ``at`` is the file offset of the offending byte and ``start`` where the enclosing record
    begins, both in bytes; ``readable_up_to`` is the end of the last sound record and
    ``keys_read`` the number of keys before it. ``code`` is stable (``RDB2xx`` and so on).
    ``cause`` says what is wrong, and ``file_kind`` in what kind of file. ``expected`` and ``found`` are words for
    people; nothing is decided by them.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        cause: Cause,
        at: int,
        expected: str,
        found: str,
        *,
        file_kind: FileKind,
        start: int | None = None,
        where: Where | None = None,
        readable_up_to: int | None = None,
        keys_read: int | None = None,
    ) -> None:
        super().__init__(f"{code} at {at:#x}: expected {expected}, found {found}")
        self.code = code
        self.cause = cause
        self.file_kind = file_kind
        self.at = at
        self.expected = expected
        self.found = found
        self.start = start
        self.where = where or Where()
        self.readable_up_to = readable_up_to
        self.keys_read = keys_read

    def __str__(self) -> str:
        # The file is known later than the fault.
        return f"{_locate(self)}expected {self.expected}, found {self.found} ({self.code})"


def describe_key(key: bytes, limit: int = 60) -> str:
    """Return a key as quoted printable text, cut to ``limit`` bytes."""
    shown = key[:limit]
    if len(key) > limit:
        # Not in the middle of a character.
        while shown and key[len(shown)] & 0xC0 == 0x80 and len(shown) > limit - 4:
            shown = shown[:-1]
    try:
        text = shown.decode("utf-8")
        quoted = "".join(c if c.isprintable() and c not in '"\\' else _escape(c) for c in text)
    except UnicodeDecodeError:
        quoted = "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\x{b:02x}" for b in shown)
    more = f"… ({len(key)} bytes)" if len(key) > limit else ""
    return f'"{quoted}"{more}'


def clean(text: str) -> str:
    r"""Return a text without what a terminal obeys, a line break or a bidirectional control: such are ``\x1b``.

    Bytes of file names that are no UTF-8 are shown as ``\xff``.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _spell(c) for c in text)


def spell_controls(text: str, keep: str = "") -> str:
    r"""Return a text with the characters that terminals obey as ``\x1b``, except those in ``keep``.

    Unlike ``clean`` it leaves what is merely not shown, such as blanks of all kinds and the joiners in emoji.
    """
    return _CONTROLS.sub(lambda match: match[0] if match[0] in keep else _spell(match[0]), text)


def _locate(error: FormatError | OversizeError) -> str:
    """Return file, offset, key and path of an error, as the beginning of a sentence."""
    where = error.where
    head = f"{where.source}: at {error.at:#x}: " if where.source else f"at {error.at:#x}: "
    if where.key is not None:
        head += f"key {describe_key(where.key)}"
        head += f" ({where.kind}): " if where.kind else ": "
    return head + (f"{where.path}: " if where.path else "")


def show_name(name: str) -> str:
    """Return the name of a file in printable characters, in quotes where it needs them."""
    data = os.fsencode(name)
    quoted = describe_key(data, _LONGEST_NAME)
    is_plain = data and "\\" not in quoted and data.strip() == data and len(data) <= _LONGEST_NAME
    return quoted[1:-1] if is_plain else quoted


def json_name(name: str) -> str:
    r"""Return the name of a file as text: bytes that are no UTF-8 are ``\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def json_bytes(data: bytes) -> str | dict[str, str]:
    """Return bytes as the string that they are in UTF-8, else as ``{"base64": …}``."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        from base64 import b64encode  # noqa: PLC0415 - for bytes that are no text

        return {"base64": b64encode(data).decode()}


def _spell(character: str) -> str:
    number = ord(character)
    if _FIRST_STRAY <= number <= _LAST_STRAY:
        return f"\\x{number - _FIRST_STRAY + 0x80:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return "".join(f"\\x{b:02x}" for b in character.encode("utf-8"))


def describe_error(error: RdbToolError, *, with_remedy: bool = True) -> str:
    """Word an error for who runs a command: one sentence with file, offset, place and expectation, then details.

    Without ``with_remedy`` what to do about it is left out: for those who say so themselves.
    """
    if not isinstance(error, FormatError):
        # What a server says to a command is a line of its own.
        has_lines = isinstance(error, InvalidDataError | ReplayError | UncertainError)
        text = error.message if error.remedy is None or not with_remedy else error.message + error.remedy.command
        lines = text.split("\n") if has_lines else [text]
        return "\n".join(map(clean, lines))
    where = error.where
    lines = [f"{_locate(error)}expected {error.expected}, found {error.found}"]
    details = []
    if where.inner_at is not None:
        details.append(f"offset {where.inner_at:#x} of the inflated string")
    if error.start is not None and error.start != error.at:
        details.append(f"the record starts at {error.start:#x}")
    if where.record is not None:
        details.append(f"record {where.record} of db {where.db}" if where.db is not None else f"record {where.record}")
    details.append(error.code)
    lines.append("  " + " · ".join(details))
    if error.readable_up_to is not None:
        keys = "" if error.keys_read is None else f" ({error.keys_read} key{'' if error.keys_read == 1 else 's'})"
        lines.append(f"  readable up to {error.readable_up_to:#x}{keys}")
    return "\n".join(map(clean, lines))


def describe_loss(loss: Loss) -> str:
    """Word one loss: what, how often, and the key or the first of the keys that it is about."""
    some = "" if loss.times == 1 else f"{loss.times} × "
    place = "" if loss.key is None else f" (key {describe_key(loss.key)} of db {loss.db})"
    return f"{some}{loss.what}{place}"


def sum_up(losses: Iterable[Loss]) -> list[Loss]:
    """Return one Loss for each kind, losses before notes: the counts added up, the key the first that has it."""
    kinds: dict[tuple[str, str], Loss] = {}
    for loss in losses:
        kind = loss.severity, loss.what
        before = kinds.get(kind)
        kinds[kind] = loss if before is None else before._replace(times=before.times + loss.times)
    return [kinds[kind] for kind in sorted(kinds, key=lambda kind: kind[0])]


class Finding(NamedTuple):
    """One thing that is worth telling about a source, and where it stands.

    ``code`` is stable (``rdbtool.core.codes``); ``severity`` is ``error``, ``warning`` or ``note``.

    ``part`` names the file, ``offset`` is in bytes within it, ``number`` counts commands from 1 over the whole
    log. ``server`` says what a server does about it. ``kind`` is the logical type of the key's value, and ``path``
    the way inside it, such as ``member[3]`` or ``group "g".pending[1]``.
    """

    code: str
    severity: str
    part: str
    offset: int
    message: str
    server: str = ""
    number: int | None = None
    db: int | None = None
    key: bytes | None = None
    kind: str | None = None
    path: str = ""


def what_servers_do(code: str) -> str:
    """Return what a server does about a file with this finding."""
    from rdbtool.core.codes import BY_CODE  # noqa: PLC0415 - the table is large, and most sources have no findings

    return BY_CODE[code].server
