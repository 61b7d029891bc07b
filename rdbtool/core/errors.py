"""The error classes, findings, the one function that formats an error, and how bytes and names are shown.

Every failure that a file, a pipe or a request can cause is one of these classes; each has the exit code of the
commands. No other exception may reach a user.
"""

from __future__ import annotations

import os

from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self
from rdbtool.core.location import Where
from rdbtool.core.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What is wrong with bytes, independent of the message: the cause says how, the error code says where. Decisions are
#: made by causes, never by message texts.
Cause = Literal[
    "cut",  # the data ends too early
    "empty",  # a required part is empty
    "size",  # a size or an offset does not match the data
    "count",  # a count does not match the number of items, or is impossible
    "range",  # a value is outside the range that the format allows
    "encoding",  # a byte or a word is undefined at this place
    "type",  # a type or an opcode is unknown, or not allowed there
    "entry",  # an entry of a packed value cannot be read
    "end-mark",  # the end mark of a packed value is missing
    "line-end",  # a line or an argument has the wrong ending
    "number",  # a text or an element is not a number
    "number-prefix",  # a text begins like a number but is not one
    "order",  # elements are not in ascending order
    "twice",  # a duplicate
    "reference",  # a reference to something missing or of another kind
    "pending",  # the pending lists of a consumer group contradict one another
    "node-counter",  # a number of a stream node that only checks compare: count, deleted, lp_count, terminator
    "node-master",  # the master entry of a stream node ends early
    "node-record",  # a record of a stream node ends early
    "transaction",  # a MULTI without EXEC
    "version",  # a version that was never written
    "old-version",  # the version is older than the contents
    "checksum",  # a checksum does not match the data
    "compression",  # compressed data does not decompress to its declared size
    "syntax",  # a line cannot be split into words or values
    "member",  # a member or key of a line is missing, unknown or a duplicate
    "name",  # an invalid name
    "unreadable",  # anything else
]

#: The kind of file that the fault is in: a snapshot within an AOF is an RDB. ``compressed``: the compression around a
#: file.
FileKind = Literal["rdb", "aof", "manifest", "jsonl", "compressed"]

#: The kinds that ``repair`` takes.
_REPAIRABLE: Final = frozenset({"rdb", "aof", "manifest"})

#: Maximum bytes of a file name shown.
_LONGEST_NAME: Final = 4096

#: Characters that terminals and editors interpret: C0, DEL, C1, line separators, and bidirectional controls.
_CONTROLS: Final = pattern("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

#: How Python represents the bytes 0x80 to 0xff of names that are not UTF-8.
_FIRST_STRAY: Final = 0xDC80
_LAST_STRAY: Final = 0xDCFF


class Remedy(NamedTuple):
    """What to do about an error, for a command-line user and for an API caller; printed after the message.

    An option of a command is an argument of a function, and each audience gets its own spelling.
    """

    command: str
    python: str


#: What to do if a value exceeds rdbtool's limit.
RAISE_LIMIT: Final = Remedy(" (--max-value SIZE raises it)", " (rdbtool.limited(max_value=...) raises it)")


#: What to do about data that is damaged, or that servers refuse.
_REPAIR: Final = Remedy(
    "\n  next: rdbtool validate SRC lists all faults, rdbtool repair SRC -o DST keeps what is intact",
    "\n  next: rdbtool.validate lists all faults, rdbtool.repair keeps what is intact",
)


class RdbToolError(Exception):
    """Base of all errors that rdbtool raises on purpose. ``exit_code`` is that of the commands.

    ``str`` of it is for API callers: the message, then ``remedy`` in their terms.
    """

    exit_code = 3

    def __init__(self, message: str = "", *, remedy: Remedy | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else self.message + self.remedy.python


#: What to do if an output exists.
USE_FORCE: Final = Remedy(" (use --force to replace it)", " (use force=True to replace it)")


class InputError(RdbToolError):
    """An input cannot be opened or read, or an output cannot be written."""


class NotFoundError(InputError):
    """The input has no such key, record or command."""

    exit_code = 1


class LimitError(InputError):
    """The data may be valid, but processing it would take more memory than allowed."""


class WrapperError(InputError):
    """The file is an archive, an encoding or another kind of file, which has to be unwrapped first."""


class OversizeError(LimitError):
    """A value exceeds rdbtool's own limit: ``what`` it is (a string), and ``size`` and ``limit`` in bytes.

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
        """Set the location, which is known later than the fault."""
        self.where = where
        self.message = f"{_locate(self)}{self.what} of {self.size:,} bytes, above the limit of {self.limit:,} bytes"


class UnsupportedError(RdbToolError):
    """The data may be valid, but this release does not know its format, version or types."""

    exit_code = 4


class UnknownFormatError(UnsupportedError):
    """The input has none of the supported formats; ``head`` is its first bytes."""

    def __init__(self, message: str, head: bytes) -> None:
        super().__init__(message)
        self.head = head


class ReplayError(RdbToolError):
    """A command of an AOF fails or has an unknown effect, and ``strict`` was set."""

    exit_code = 1


class PlaceError(RdbToolError):
    """The AOF has no such place to stop, or no such command to skip."""

    exit_code = 1

    @classmethod
    def no_commands(cls, source: str) -> Self:
        """Return the error for places given for an input that is not an AOF."""
        return cls(f"{source} is not an AOF: it has no commands to stop at or to skip")


class UncertainError(RdbToolError):
    """The effects of some commands of an AOF are unknown, so the dataset is uncertain.

    ``findings`` are the first of them, ``count`` is the total number of such commands.
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


class InvalidDataError(RdbToolError):
    """Readable data that servers refuse or misread: a duplicate element, an empty collection, a wrong order.

    ``finding`` says what and where; ``line`` is the line number, where the input has lines.
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
        super().__init__(f"{place}: {finding.message} ({finding.code})", remedy=_REPAIR if line is None else None)
        self.finding = finding
        self.line = line


class Loss(NamedTuple):
    """What a target cannot hold, or only differently.

    A ``loss`` changes the data; a ``note`` is about what servers recompute, do without or only report. ``db`` and
    ``key`` are None if it is not about a key; a note names the first key. ``times`` is the number of parts or keys
    affected, ``needs`` the first RDB version of Redis that can hold it, if any.
    """

    db: int | None
    key: bytes | None
    what: str
    severity: Literal["loss", "note"]
    times: int
    needs: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the loss for reports."""
        key = None if self.key is None else json_bytes(self.key)
        return {"what": self.what, "times": self.times, "db": self.db, "key": key, "needs_rdb": self.needs}


class LossError(RdbToolError):
    """The target cannot hold the data, and losses were not allowed."""

    exit_code = 1

    def __init__(self, loss: Loss, magic: str, version: int) -> None:
        place = "" if loss.key is None else f" (key {describe_key(loss.key)} of db {loss.db})"
        some = "" if loss.times == 1 else f"{loss.times} "
        where = f"; RDB {loss.needs} and later can" if loss.needs is not None else ""
        name = "RDB" if magic == "REDIS" else "Valkey RDB"
        remedy = Remedy("; --allow-loss drops what it cannot hold", "; allow_loss=True drops what it cannot hold")
        super().__init__(f"{name} {version} cannot hold {some}{loss.what}{place}{where}", remedy=remedy)
        self.loss = loss
        self.magic = magic
        self.version = version


class CollisionError(RdbToolError):
    """Two keys would collide after a rename or a move to another database.

    ``first``, ``second`` and ``place`` (the common result) are each a database and a key.
    """

    exit_code = 1

    def __init__(self, first: tuple[int, bytes], second: tuple[int, bytes], place: tuple[int, bytes]) -> None:
        one, other, both = (f"{describe_key(key)} of db {db}" for db, key in (first, second, place))
        words = f"{one} and {other} would both become {both}" if first != second else f"{one} occurs twice"
        super().__init__(f"two keys would get the same name: {words}")
        self.first = first
        self.second = second
        self.place = place


class FormatError(RdbToolError):
    """Bytes that no server writes.

    ``at`` is the file offset of the offending byte and ``start`` where the enclosing record begins, both in bytes;
    ``readable_up_to`` is the end of the last intact record and ``keys_read`` the number of keys before it. ``code`` is
    stable (``RDB2xx`` and so on). ``cause`` says what is wrong, and ``file_kind`` in what kind of file. ``expected``
    and ``found`` are texts for people; nothing is decided by them.
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
        remedy = _REPAIR if file_kind in _REPAIRABLE else None
        super().__init__(f"{code} at {at:#x}: expected {expected}, found {found}", remedy=remedy)
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
    """Return a key as quoted printable text, shortened to ``limit`` bytes."""
    shown = key[:limit]
    if len(key) > limit:
        # Not in the middle of a character.
        while shown and key[len(shown)] & 0xC0 == 0x80 and len(shown) > limit - 4:
            shown = shown[:-1]
    try:
        text = shown.decode("utf-8")
        if text.isprintable():
            # Nearly all keys are: the other way takes a call for each character.
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        else:
            quoted = "".join(c if c.isprintable() and c not in '"\\' else _escape(c) for c in text)
    except UnicodeDecodeError:
        quoted = "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\x{b:02x}" for b in shown)
    more = f"… ({len(key)} bytes)" if len(key) > limit else ""
    return f'"{quoted}"{more}'


def clean(text: str) -> str:
    r"""Escape control characters, line breaks and bidirectional controls in a text, as ``\x1b``.

    Bytes of file names that are not UTF-8 are shown as ``\xff``.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _spell(c) for c in text)


def spell_controls(text: str, keep: str = "") -> str:
    r"""Escape the characters that terminals interpret as ``\x1b``, except those in ``keep``.

    Unlike ``clean`` it keeps what is merely invisible, such as all kinds of blanks and the joiners in emoji.
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
    """Return a file name in printable characters, quoted if necessary."""
    data = os.fsencode(name)
    quoted = describe_key(data, _LONGEST_NAME)
    is_plain = data and "\\" not in quoted and data.strip() == data and len(data) <= _LONGEST_NAME
    return quoted[1:-1] if is_plain else quoted


def json_name(name: str) -> str:
    r"""Return a file name as text; bytes that are not UTF-8 become ``\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def json_bytes(data: bytes) -> str | dict[str, str]:
    """Return bytes as a string if they are UTF-8, else as ``{"base64": …}``."""
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
    """Format an error for the command line: one sentence with file, offset, place and expectation, then details.

    ``with_remedy`` False omits what to do about it, for callers that print it themselves.
    """
    if not isinstance(error, FormatError):
        # A server's reply to a command goes on its own line.
        has_lines = isinstance(error, InvalidDataError | ReplayError | UncertainError)
        lines = error.message.split("\n") if has_lines else [error.message]
        if with_remedy and error.remedy is not None:
            same_line, *more = error.remedy.command.split("\n")
            lines = [*lines[:-1], lines[-1] + same_line, *more]
        return "\n".join(map(clean, lines))
    where = error.where
    lines = [f"{_locate(error)}expected {error.expected}, found {error.found}"]
    record = "command" if error.file_kind == "aof" else "record"
    details = []
    if where.inner_at is not None:
        details.append(f"offset {where.inner_at:#x} of the decompressed string")
    if error.start is not None and error.start != error.at:
        details.append(f"the {record} starts at {error.start:#x}")
    if where.record is not None:
        of_db = "" if where.db is None else f" of db {where.db}"
        details.append(f"{record} {where.record}{of_db}")
    details.append(error.code)
    lines.append("  " + " · ".join(details))
    if error.readable_up_to is not None:
        keys = "" if error.keys_read is None else f" ({error.keys_read} key{'' if error.keys_read == 1 else 's'})"
        lines.append(f"  readable up to {error.readable_up_to:#x}{keys}")
    if with_remedy and error.remedy is not None:
        lines += error.remedy.command.strip("\n").split("\n")
    return "\n".join(map(clean, lines))


def describe_loss(loss: Loss) -> str:
    """Describe one loss: what, how often, and the key or the first of the keys."""
    some = "" if loss.times == 1 else f"{loss.times} × "
    place = "" if loss.key is None else f" (key {describe_key(loss.key)} of db {loss.db})"
    return f"{some}{loss.what}{place}"


def sum_up(losses: Iterable[Loss]) -> list[Loss]:
    """Return one Loss per kind, losses before notes: with summed counts and the first key."""
    kinds: dict[tuple[str, str], Loss] = {}
    for loss in losses:
        kind = loss.severity, loss.what
        before = kinds.get(kind)
        kinds[kind] = loss if before is None else before._replace(times=before.times + loss.times)
    return [kinds[kind] for kind in sorted(kinds, key=lambda kind: kind[0])]


class Finding(NamedTuple):
    """An observation about an input, and its location.

    ``code`` is stable (``rdbtool.core.codes``); ``severity`` is ``error``, ``warning`` or ``note``. ``part`` names the
    file, ``offset`` is in bytes within it, ``number`` counts commands from 1 over the whole AOF. ``server`` says what a
    server does about it. ``kind`` is the logical type of the key's value, and ``path`` the location inside it, such as
    ``member[3]`` or ``group "g".pending[1]``.
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
    """Return what a server does with a file that has this finding."""
    from rdbtool.core.codes import BY_CODE  # noqa: PLC0415 - the table is large, and most sources have no findings

    return BY_CODE[code].server
