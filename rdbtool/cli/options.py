"""Options shared by several commands, and their translation into library arguments.

A group of options is a class; a command takes it as one parameter, and :func:`expands` turns its fields into
options. So every command that reads keys has the same options.
"""

from __future__ import annotations

import os
import time

from rdbtool.cli.parameters import Argument, Option, OptionGroup, Parameter, UsageError, parameters_of
from rdbtool.core.cores import at_most
from rdbtool.core.light_tools import nullcontext
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated, Any, cast
from rdbtool.core.limits import limited
from rdbtool.core.rdb_types import KINDS

if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rdbtool._codec.filters.selection import Selection
    from rdbtool.api.arguments import KeyFilters
    from rdbtool.core.servers import Target
    from rdbtool.engine.replay.places import Places
    from rdbtool.operations.convert.omissions import Leaving
    from rdbtool.operations.convert.reshaping import Reshaping

Source = Annotated[
    str,
    Argument(
        metavar="SRC",
        help="An RDB, an AOF, a manifest or a directory with one, or - for standard input; the content decides what "
        "it is. Or a server, such as redis://localhost:6379.",
    ),
]
Server = Annotated[
    str | None,
    Option(
        "--rules",
        metavar="SERVER",
        help="Server version whose behaviour to follow, such as redis-8.0 or valkey-9.1. Default: the one that wrote "
        "the base file, else redis-7.2, or the oldest server that has all commands of the AOF.",
    ),
]
RenamedCommands = Annotated[
    list[str] | None,
    Option(
        "--rename-command",
        metavar="NEW=COMMAND",
        help="Execute NEW in an AOF as COMMAND, as a server with such a rename-command does.",
    ),
]
Until = Annotated[
    str | None,
    Option(
        "--until",
        "--truncate-to-timestamp",
        metavar="PLACE",
        help="Replay an AOF up to PLACE: an ISO 8601 time (local time unless it has a zone) or ts:SECONDS, by its "
        "annotations; at:OFFSET, at:FILE:OFFSET, or n:COUNT.",
    ),
]
Before = Annotated[
    str | None,
    Option("--before", metavar="COMMAND", help="Replay an AOF up to the first such command, such as flushall."),
]
BeforeLast = Annotated[
    str | None,
    Option(
        "--before-last",
        metavar="COMMAND",
        help="Replay an AOF up to the last such command. The file is read twice.",
    ),
]
SkipCommand = Annotated[
    list[str] | None,
    Option(
        "--skip-command",
        metavar="N|COMMAND",
        help="Skip a command of an AOF: by its number, as replay and history print it, or by a name that only one has.",
    ),
]
Jobs = Annotated[
    int | None,
    Option(
        "--jobs",
        metavar="N",
        minimum=1,
        help="Use up to N cores. Default: those that are available, at most 4. The output is the same for any N.",
    ),
]
#: How to write a key on the command line.
KEY_SPELLING = r"as text, with \xHH for other bytes and \\ for a backslash"

KeyRegex = Annotated[list[str] | None, Option("--key", "-k", metavar="REGEX", help="Keys in which REGEX is found.")]
Glob = Annotated[list[str] | None, Option("--glob", metavar="PATTERN", help="Keys that match PATTERN as KEYS would.")]
ExactKey = Annotated[
    list[str] | None,
    Option("--exact-key", metavar="KEY", help=f"The key KEY itself, {KEY_SPELLING}."),
]

NoProgress = Annotated[bool, Option("--no-progress", help="Never show a progress bar.")]
OutputFile = Annotated[str | None, Option("--output", "-o", metavar="FILE", help="Write to FILE, whole or not at all.")]
Force = Annotated[bool, Option("--force", help="Replace FILE if it exists.")]
TargetName = Annotated[
    str | None,
    Option(
        "--target",
        metavar="TARGET",
        help="What to write for: a server such as redis-6.2 or valkey-9, or a version such as rdb-9. Default: the "
        "form of SRC.",
    ),
]
Preamble = Annotated[
    bool | None,
    Option("--preamble/--no-preamble", help="Begin an AOF with an RDB, or with commands. Default: as SRC does."),
]
AllowLoss = Annotated[bool, Option("--allow-loss", help="Drop what the target cannot hold, and name it.")]
ServerStopped = Annotated[
    bool,
    Option("--server-stopped", help="No server uses the AOF that is replaced: for where that cannot be found out."),
]
Functions = Annotated[
    bool | None,
    Option(
        "--functions/--no-functions",
        help="Write function libraries, scripts and module data outside the keys, too. Default: unless keys are "
        "selected.",
    ),
]
DropParts = Annotated[
    list[str] | None,
    Option(
        "--drop",
        metavar="PART",
        help="Skip functions, scripts, aux, module-aux, groups (consumer groups), or module:NAME: what the module "
        "with the type NAME owns.",
    ),
]
MaxValue = Annotated[
    str | None,
    Option(
        "--max-value",
        metavar="SIZE",
        help="Read values of up to SIZE, such as 2GiB. Default: 512MiB for a string, 64MiB for elements packed "
        "into one string.",
    ),
]
Memory = Annotated[
    str | None,
    Option(
        "--memory",
        metavar="SIZE",
        help="Memory for a table of keys, such as 4GiB; the rest of it is in temporary files (TMPDIR), with the same "
        "result. Default: a quarter of the RAM, at most 1GiB.",
    ),
]
PasswordFile = Annotated[
    str | None,
    Option(
        "--password-file",
        metavar="FILE",
        help="Read the password of a server from the first line of FILE. Default: RDBTOOL_PASSWORD or REDISCLI_AUTH of "
        "the environment.",
    ),
]
Json = Annotated[bool, Option("--json", help="Print JSON.")]


class Clock(OptionGroup):
    """The time at which expiry is evaluated."""

    now: Annotated[
        str | None,
        Option(
            "--now",
            metavar="TIME",
            help="The time of expiry checks: ISO 8601 (local time unless it has a zone) or Unix milliseconds. "
            "Default: now.",
        ),
    ] = None

    def milliseconds(self) -> int:
        """Return the time in Unix milliseconds, by default the system's."""
        if self.now is None:
            return time.time_ns() // 1_000_000
        if self.now.removeprefix("-").isdecimal():
            return int(self.now)
        from rdbtool.core.moments import parse_moment

        try:
            moment = parse_moment(self.now)
        except ValueError as error:
            raise UsageError(f"{self.now!r} is neither ISO 8601 nor a number", parameter="--now") from error
        return round(moment.timestamp() * 1000)


class Filters(Clock):
    """Key filters."""

    key: KeyRegex = None
    glob: Glob = None
    exact_key: ExactKey = None
    no_key: Annotated[
        list[str] | None,
        Option("--no-key", "--not-key", "-K", metavar="REGEX", help="No keys in which REGEX is found."),
    ] = None
    type: Annotated[
        list[str] | None, Option("--type", "-t", metavar="TYPE", help=f"Keys of TYPE: {', '.join(KINDS)}.")
    ] = None
    no_type: Annotated[list[str] | None, Option("--no-type", "-T", metavar="TYPE", help="No keys of TYPE.")] = None
    db: Annotated[
        list[int] | None, Option("--db", "--dbnum", "-n", metavar="N", minimum=0, help="Keys of database N.")
    ] = None
    no_db: Annotated[
        list[int] | None, Option("--no-db", "--no-dbnum", "-N", metavar="N", minimum=0, help="No keys of database N.")
    ] = None
    expired: Annotated[
        bool | None, Option("--expired/--no-expired", help="Only keys that have expired, or none of them.")
    ] = None
    slot: Annotated[
        str | None, Option("--slot", metavar="A-B", help="Keys of the cluster slots A to B (or of slot A).")
    ] = None
    limit: Annotated[int | None, Option("--limit", metavar="N", minimum=0, help="Stop after N keys.")] = None

    def as_arguments(self) -> KeyFilters:
        """Return the filters as function arguments."""
        given = {name: getattr(self, name) for name, *_ in parameters_of(Filters) if name != "now"}
        given["exact_key"] = [key_bytes(text) for text in self.exact_key or ()]
        return cast("KeyFilters", {name: value for name, value in given.items() if value not in (None, [])})

    def leaving(self, drop: list[str] | None, *, functions: bool | None) -> Leaving:
        """Return what to drop. Raises UsageError."""
        if drop is None and functions is None and not self.as_arguments():
            from rdbtool.operations.convert.omissions import Leaving

            return Leaving()
        from rdbtool.api.arguments import leaving_of

        with usage_errors():
            return leaving_of(drop, self.as_arguments(), functions=functions)

    def selection(self) -> Selection | None:
        """Return the reader's selection, None if every key is wanted. Raises UsageError."""
        filters = self.as_arguments()
        if not filters:
            return None
        from rdbtool.api.arguments import selection_of

        with usage_errors():
            return selection_of(filters, self.milliseconds())

    def require_found(self, name: str, selection: Selection | None) -> None:
        """Raise NotFoundError if keys were named and the file ``name``, read with ``selection``, has none of them."""
        if not self.exact_key or selection is None or selection.taken:
            return
        from rdbtool.core.errors import NotFoundError, describe_key

        keys = " or ".join(describe_key(key_bytes(text)) for text in self.exact_key)
        others = " that passes the other filters" if len(self.as_arguments()) > 1 else ""
        raise NotFoundError(f"{name}: no key {keys}{others}")


class Reshape(OptionGroup):
    """Changes to keys on the way to an output."""

    expiry: Annotated[
        str | None,
        Option(
            "--expiry",
            metavar="HOW",
            help="keep, drop (keys and hash fields no longer expire), +TIME or -TIME such as +1h or -30m (they expire "
            "later or earlier), or unexpired (what has expired by --now is skipped). Default: keep.",
        ),
    ] = None
    rename: Annotated[
        list[str] | None,
        Option(
            "--rename",
            metavar="REGEX=TEXT",
            help="Replace everything that REGEX finds in a key by TEXT, in which \\1 is a group and \\xHH a byte. "
            "Two keys that get one name are an error.",
        ),
    ] = None
    move_db: Annotated[
        list[str] | None,
        Option(
            "--move-db",
            metavar="FROM=TO",
            help="Move the keys of database FROM to database TO.",
        ),
    ] = None

    def given(self) -> dict[str, bool]:
        """Return the names of the options that were given."""
        names = {"--expiry": self.expiry, "--rename": self.rename, "--move-db": self.move_db}
        return {name: bool(value) for name, value in names.items()}

    def reshaping(self, now_ms: int) -> Reshaping | None:
        """Return the changes to keys; ``now_ms`` (Unix ms) is the time for expiry. Raises UsageError."""
        if self.expiry is None and not self.rename and not self.move_db:
            return None
        import re

        from rdbtool.api.arguments import reshaping_of

        renames: dict[str | bytes | re.Pattern[bytes], str | bytes] = {}
        for text in self.rename or ():
            pattern, name = _split_rename(os.fsencode(text))
            if renames.setdefault(pattern, name) != name:
                raise UsageError(f"{text!r}: one expression cannot have two texts", parameter="--rename")
        moves: dict[int, int] = {}
        for text in self.move_db or ():
            match = re.fullmatch(r"(\d{1,9})=(\d{1,9})", text)
            if match is None:
                raise UsageError(f"{text!r} is not of the form FROM=TO, such as 5=0", parameter="--move-db")
            if moves.setdefault(int(match[1]), int(match[2])) != int(match[2]):
                raise UsageError(f"database {match[1]} is moved twice", parameter="--move-db")
        with usage_errors():
            return reshaping_of(self.expiry, renames, moves, now_ms)


def _split_rename(text: bytes) -> tuple[bytes, bytes]:
    """Split at the first = that ends a regular expression: not one inside a group, a set or an escape."""
    import re

    at = text.find(b"=")
    while at > 0:
        try:
            re.compile(text[:at])
        except re.error:
            at = text.find(b"=", at + 1)
        else:
            return text[:at], text[at + 1 :]
    raise UsageError(f"{os.fsdecode(text)!r} is not of the form REGEX=TEXT", parameter="--rename")


#: Arguments whose option has another name.
_OPTIONS = {
    "regex": "key",
    "skip": "skip_command",
    "skip_a": "skip_command_a",
    "skip_b": "skip_command_b",
    "rename_commands": "rename_command",
}


class usage_errors:  # noqa: N801 - a ``with`` block reads like a function
    """A ``with`` block that turns argument errors into UsageError, with the names of the options."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        from rdbtool.api.arguments import ArgumentError

        if isinstance(error, ArgumentError):
            names = (_OPTIONS.get(name, name) for name in error.argument.split(", "))
            options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
            raise UsageError(error.reason, parameter=options) from error


def check_choice(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raise UsageError unless ``value`` is None or one of ``choices``."""
    if value is not None and value not in choices:
        raise UsageError(f"must be one of {', '.join(choices)}, not {value!r}", parameter=option)


def refuse_terminal(is_terminal: bool, option: str) -> None:  # noqa: FBT001 - the only question
    """Raise UsageError if binary data would go to a terminal."""
    if is_terminal:
        words = "binary data is not for a terminal: give a file, or pipe it into another program"
        raise UsageError(words, parameter=option)


def check_rules(text: str | None) -> None:
    """Raise UsageError unless ``text`` is None or names a server such as ``redis-7.0``."""
    if text is not None:
        from rdbtool.api.arguments import rules_of

        with usage_errors():
            rules_of(text)


def renames_of(given: list[str] | None) -> dict[str, str] | None:
    """Return the commands by their new names in ``--rename-command``, None if not given. Raises UsageError."""
    if not given:
        return None
    from rdbtool.api import arguments

    commands: dict[str, str] = {}
    for text in given:
        new, mark, name = text.rpartition("=")
        if not mark or not new or not name:
            raise UsageError(f"{text!r} is not of the form NEW=COMMAND", parameter="--rename-command")
        if commands.setdefault(new.upper(), name) != name:
            raise UsageError(f"{new!r} cannot be two commands", parameter="--rename-command")
    with usage_errors():
        arguments.renames_of({"rename_commands": commands})
    return commands


def target_of(text: str | None) -> Target | None:
    """Return the target that ``text`` names; None for None. Raises UsageError."""
    if text is None:
        return None
    from rdbtool.api import arguments

    with usage_errors():
        return arguments.target_of(text)


class Stop(OptionGroup):
    """Where a replay stops, and what it skips."""

    until: Until = None
    before: Before = None
    before_last: BeforeLast = None
    skip_command: SkipCommand = None

    def places(self, *sources: str, suffix: str = "") -> Places | None:
        """Return the places, None if none are given; ``suffix`` is the suffix of the option names.

        Raises UsageError for two places to stop, an invalid place, a name that is no command, and what is impossible
        with a pipe.
        """
        tail = suffix.replace("-", "_")
        names = ("until", "before", "before_last")
        given: dict[str, object] = {f"{name}{tail}": getattr(self, name) for name in names}
        given[f"skip{tail}"] = self.skip_command
        if all(value in (None, []) for value in given.values()):
            return None
        from rdbtool.api.arguments import places_of

        with usage_errors():
            places = places_of(given, tail)
        if self.before_last is not None and "-" in sources:
            words = "it reads the AOF twice, which standard input does not allow: give a file"
            raise UsageError(words, parameter=f"--before-last{suffix}")
        return places


def key_bytes(text: str) -> bytes:
    r"""Return the key that a command line names: text, with \xHH for other bytes and \\ for a backslash."""

    def read(match: re.Match[bytes]) -> bytes:
        return b"\\" if match[1] is None else bytes([int(match[1], 16)])

    import re

    return re.sub(rb"\\(?:x([0-9a-fA-F]{2})|\\)", read, os.fsencode(text)) if "\\" in text else os.fsencode(text)


def place(text: str) -> tuple[str | None, int]:
    """Return the file, if one is named, and the offset given with ``--at``. Raises UsageError."""
    part, colon, digits = text.rpartition(":")
    try:
        number = int(digits, 0)
    except ValueError:
        number = -1
    if number < 0:
        raise UsageError(f"{text!r} is not a valid offset", parameter="--at")
    return (part if colon else None), number


class _Common(OptionGroup):
    """Options of every command that reads."""

    max_value: MaxValue = None
    memory: Memory = None
    jobs: Jobs = None
    password_file: PasswordFile = None

    def run(self, command: Callable[..., None], values: dict[str, Any]) -> None:
        """Call a command with these options applied. Raises UsageError."""
        with (
            at_most(self.jobs),
            _limit("--max-value", max_value=self.max_value),
            _limit("--memory", memory=self.memory),
            self._password(),
        ):
            command(**values)

    def _password(self) -> AbstractContextManager[object]:
        if self.password_file is None:
            return nullcontext()
        from rdbtool.live.secrets import password_from

        return password_from(self.password_file)


def _limit(option: str, **given: str | None) -> AbstractContextManager[None]:
    """Return a block with the limit of an option. Raises UsageError."""
    try:
        return limited(**given)
    except ValueError as error:
        raise UsageError(str(error), parameter=option) from error


def expands(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of its parameters that are groups, and those of every command that reads."""
    groups: dict[str, Any] = {}
    parameters: list[Parameter] = []
    for parameter in parameters_of(command):
        if parameter.declaration is None:
            groups[parameter.name] = parameter.type
            parameters += parameters_of(parameter.type)
        else:
            parameters.append(parameter)

    # Those that connect have the password in their own group, for one of several servers.
    given = {parameter.name for parameter in parameters}
    common = [parameter for parameter in parameters_of(_Common) if parameter.name not in given]
    parameters += common

    def expanded(**values: Any) -> None:
        shared = _Common(**{parameter.name: values.pop(parameter.name) for parameter in common})
        for name, group in groups.items():
            values[name] = group(**{field: values.pop(field) for field, *_ in parameters_of(group)})
        shared.run(command, values)

    expanded.__doc__ = command.__doc__
    expanded.parameters = parameters  # type: ignore[attr-defined]
    return expanded
