"""Arguments of the public functions: names, types and checks.

Options that several functions share are listed once, in a TypedDict; ``takes`` gives a function the corresponding
signature. A check raises ValueError, or TypeError for a wrong type, with a sentence that begins with the argument's
name. All arguments are checked before anything is read.
"""

from __future__ import annotations

import functools
import inspect
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, TypedDict, TypeVar, cast

from rdbtool.core.moments import parse_moment
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import KIND_ALIASES, KINDS
from rdbtool.core.servers import Rules

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.servers import Target
    from rdbtool.engine.replay.places import Places
    from rdbtool.operations.convert.omissions import Leaving
    from rdbtool.operations.convert.reshaping import Reshaping
    from rdbtool.operations.history.history import KeyChoice

#: The input: a path (``"-"``: standard input), the content itself, or a stream of it.
Source = str | os.PathLike[str] | bytes | BinaryIO
FilePath = str | os.PathLike[str]
#: One or several regular expressions that are searched for in keys.
Patterns = str | bytes | re.Pattern[bytes] | Iterable[str | bytes | re.Pattern[bytes]]

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")
_K = TypeVar("_K")

_SLOTS: Final = 16384
_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class ArgumentError(ValueError):
    """An invalid value of an argument, or of several, joined by commas: for this ``reason``."""

    def __init__(self, argument: str, reason: str) -> None:
        super().__init__(f"{argument}: {reason}")
        self.argument = argument
        self.reason = reason


class ReplayOptions(TypedDict, total=False):
    """How to replay an AOF: by which server's rules and when, to which place, and without which commands.

    ``rules`` names a server, such as ``redis-8.0``; None: the one that wrote the file. ``now`` is the time for expiry:
    a datetime, ISO 8601 or Unix ms; None: the current time. At most one of ``until`` (an ISO 8601 time, ``ts:SECONDS``,
    ``at:OFFSET``, ``at:FILE:OFFSET`` or ``n:COUNT``), ``before`` and ``before_last`` (a command) says where to stop.
    ``skip`` names commands to skip, by number, or by a name that occurs once. ``rename_commands`` maps renamed commands
    in the file to their original names. ``progress`` is called with the number of bytes read.
    """

    rules: str | None
    now: datetime | str | int | None
    until: str | None
    before: str | None
    before_last: str | None
    skip: str | int | Iterable[str | int] | None
    rename_commands: Mapping[str, str] | None
    progress: Progress | None


class KeyFilters(TypedDict, total=False):
    """Key filters: a key must match all that are given.

    ``key`` and ``no_key`` are regular expressions that match the key anywhere, or must not; ``glob`` are patterns as in
    KEYS, and ``exact_key`` whole keys (one of these three must match). ``type`` and ``db`` name types and databases,
    ``no_type`` and ``no_db`` those to exclude. ``expired``: only keys that have expired at ``now``, or none of them.
    ``slot`` is a cluster slot or a range of them (both ends included). ``limit``: at most this many keys, the first
    ones.
    """

    key: Patterns | None
    glob: str | bytes | Iterable[str | bytes] | None
    exact_key: str | bytes | Iterable[str | bytes] | None
    no_key: Patterns | None
    type: str | Iterable[str] | None
    no_type: str | Iterable[str] | None
    db: int | Iterable[int] | None
    no_db: int | Iterable[int] | None
    expired: bool | None
    slot: int | tuple[int, int] | str | None
    limit: int | None


class ReadOptions(ReplayOptions, KeyFilters, total=False):
    """How to replay, and which keys to read."""


def takes(options: type) -> Callable[[_F], _F]:
    """Return a decorator: the function accepts the names in the TypedDict ``options`` and shows them in its signature.

    Other names are refused. The last parameter of the function has to be ``**options``.
    """

    def decorate(function: _F) -> _F:
        own = inspect.signature(function)
        *parameters, rest = own.parameters.values()
        assert rest.kind is inspect.Parameter.VAR_KEYWORD
        for name, annotation in options.__annotations__.items():
            hint = getattr(annotation, "__forward_arg__", annotation)
            parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint))
        known = {parameter.name for parameter in parameters}

        @functools.wraps(function)
        def checked(*given: Any, **named: Any) -> Any:
            for name in named:
                if name not in known:
                    from difflib import get_close_matches  # noqa: PLC0415 - for a name that is none only

                    near = get_close_matches(name, known, n=1)
                    hint = f", did you mean {near[0]!r}?" if near else ""
                    raise TypeError(f"{function.__name__}() has no argument {name!r}{hint}")
            return function(*given, **named)

        checked.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return cast("_F", checked)

    return decorate


# ---- files -----------------------------------------------------------------------------------------------------


def source_of(given: Source, name: str = "source") -> str | bytes | BinaryIO:
    """Return the input; a path as text. Raises TypeError."""
    if isinstance(given, bytes):
        return given
    if isinstance(given, str | os.PathLike):
        return path_of(given, name)
    stream: object = given
    if isinstance(stream, io.TextIOBase):
        raise TypeError(f"{name}: the stream gives text, open it in binary mode")
    if not hasattr(stream, "read"):
        raise TypeError(f"{name}: expected a path, bytes or a binary stream, found {type(stream).__name__}")
    return given


def path_of(given: FilePath, name: str = "destination") -> str:
    """Return a path as text; a path object named ``-`` is a file, not a standard stream. Raises TypeError."""
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"{name}: expected a path, found {type(given).__name__}")
    text = os.fspath(given)
    if not isinstance(text, str):
        raise TypeError(f"{name}: expected a path of str, found one of {type(text).__name__}")
    if not text:
        raise ArgumentError(name, "the path is empty")
    return "./-" if text == "-" and not isinstance(given, str) else text


def content_of(given: Source, name: str = "source") -> str | bytes:
    """Return the input, with streams read into memory. Raises TypeError."""
    source = source_of(given, name)
    return source if isinstance(source, str | bytes) else source.read()


# ---- single options --------------------------------------------------------------------------------------------


def check_flags(**given: object) -> None:
    """Raise TypeError unless each argument is True, False or None."""
    for name, value in given.items():
        if value is not None and not isinstance(value, bool):
            raise TypeError(f"{name}: expected True or False, found {value!r}")


def count_of(name: str, given: int | None, least: int = 0) -> int | None:
    """Return a number of at least ``least``, None for None. Raises TypeError, ValueError."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name}: expected a number, found {given!r}")
    if given < least:
        raise ArgumentError(name, f"expected at least {least}, found {given}")
    return given


def choice_of(name: str, given: _T, choices: Iterable[_T]) -> _T:
    """Return the value if it is one of ``choices``. Raises ValueError."""
    rows = tuple(choices)
    if given not in rows:
        raise ArgumentError(name, f"must be one of {', '.join(map(str, rows))}, not {given!r}")
    return given


def text_of(name: str, given: str | None) -> str | None:
    """Return text, None for None. Raises TypeError."""
    if given is not None and not isinstance(given, str):
        raise TypeError(f"{name}: expected text, found {given!r}")
    return given


def parsed(name: str, parse: Callable[[str], _T], given: str | None) -> _T | None:
    """Return text parsed by ``parse``, None for None. Raises TypeError, and ValueError with the argument's name."""
    text = text_of(name, given)
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise ArgumentError(name, str(error)) from None


def rules_of(given: str | None) -> str | None:
    """Return the name of a server. Raises ValueError for an unknown one."""
    return None if parsed("rules", Rules.parse, given) is None else given


def target_of(given: str | None) -> Target | None:
    """Return the target of an output. Raises ValueError for what is neither a server nor an RDB version."""
    if given is None:
        return None
    from rdbtool.core.servers import Target  # noqa: PLC0415 - for what is written only

    return parsed("target", Target.parse, given)


def milliseconds_of(name: str, given: timedelta | str | int) -> int:
    """Return a duration in ms: a timedelta, a number of ms, or text such as ``1s``. Raises ValueError."""
    if isinstance(given, timedelta):
        return given // timedelta(milliseconds=1)
    if isinstance(given, str):
        match = re.fullmatch(r"(\d{1,12})(ms|s|m|h|d)", given)
        if match is None:
            raise ArgumentError(name, f"{given!r} is not a valid time: expected one such as 500ms, 1s, 2m, 1h or 1d")
        return int(match[1]) * _UNITS[match[2]]
    return count_of(name, given) or 0


def now_of(options: ReplayOptions) -> int:
    """Return the time for expiry in Unix ms, by default the current one. Raises ValueError."""
    given = options.get("now")
    if given is None:
        return round(datetime.now().astimezone().timestamp() * 1000)
    if isinstance(given, str):
        given = parsed("now", parse_moment, given)
    if isinstance(given, datetime):
        return round(given.timestamp() * 1000)
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"now: expected a datetime, ISO 8601 or Unix milliseconds, found {given!r}")
    return given


def key_of(given: str | bytes, name: str = "key") -> bytes:
    """Return a key as bytes; text is UTF-8. Raises TypeError."""
    if isinstance(given, bytes):
        return given
    if not isinstance(given, str):
        raise TypeError(f"{name}: expected text or bytes, found {given!r}")
    return given.encode(errors="surrogateescape")


# ---- replays ---------------------------------------------------------------------------------------------------


def places_of(options: Mapping[str, Any], suffix: str = "") -> Places | None:
    """Return where a replay stops and what it skips, None if nothing is given. Raises ValueError, TypeError.

    ``suffix`` is the suffix of the argument names.
    """
    names = [f"{name}{suffix}" for name in ("until", "before", "before_last", "skip")]
    until, before, before_last = (text_of(name, options.get(name)) for name in names[:3])
    skip = [str(row) if isinstance(row, int) else row for row in _several(names[3], options.get(names[3]), (str, int))]
    given = [text for text in (until, before, before_last) if text is not None]
    if not given and not skip:
        return None
    from rdbtool.engine.replay.places import Place, Places, command_named, skipped_command  # noqa: PLC0415 - for AOFs only

    if len(given) > 1:
        raise ArgumentError(", ".join(names[:3]), "only one of them can be given")
    parsed(names[0], Place.parse, until)
    parsed(names[1], command_named, before)
    parsed(names[2], command_named, before_last)
    for text in skip:
        parsed(names[3], skipped_command, text)
    return Places(until, before, before_last, tuple(skip))


def renames_of(options: ReplayOptions) -> Mapping[str, str] | None:
    """Return the commands by their renamed names in the AOF. Raises ValueError, TypeError."""
    given = options.get("rename_commands")
    if not given:
        return None
    if not isinstance(given, Mapping):
        raise TypeError(f"rename_commands: expected a mapping of new names to commands, found {given!r}")
    from rdbtool.engine.replay.replay_options import Renames  # noqa: PLC0415 - rarely needed

    try:
        Renames(given)
    except ValueError as error:
        raise ArgumentError("rename_commands", str(error)) from None
    return given


class Replaying(NamedTuple):
    """The checked options of a replay."""

    rules: str | None
    now_ms: int
    places: Places | None
    rename_commands: Mapping[str, str] | None
    progress: Progress | None


def replaying_of(options: ReplayOptions) -> Replaying:
    """Return the options of a replay. Raises ValueError, TypeError."""
    progress = options.get("progress")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress: expected a function, found {progress!r}")
    rules = rules_of(options.get("rules"))
    return Replaying(rules, now_of(options), places_of(options), renames_of(options), progress)


# ---- keys ------------------------------------------------------------------------------------------------------


def are_about_keys(filters: KeyFilters) -> bool:
    """Return whether keys are filtered by more than expiry: then only keys are wanted."""
    chosen = ("key", "glob", "exact_key", "no_key", "type", "no_type", "db", "no_db", "slot", "limit")
    return any(filters.get(name) is not None for name in chosen)


def selection_of(filters: KeyFilters, now_ms: int) -> Selection | None:
    """Return the key selection, None if every key is wanted. Raises ValueError, TypeError."""
    check_flags(expired=filters.get("expired"))
    if not are_about_keys(filters) and filters.get("expired") is None:
        return None
    from rdbtool._codec.filters.selection import Selection  # noqa: PLC0415 - rarely needed
    from rdbtool.reader.globs import compile_glob  # noqa: PLC0415 - likewise

    globs = [compile_glob(key_of(row, "glob")) for row in _several("glob", filters.get("glob"), (str, bytes))]
    keys = [key_of(row, "exact_key") for row in _several("exact_key", filters.get("exact_key"), (str, bytes))]
    return Selection(
        patterns=[
            *_patterns("key", filters.get("key")),
            *globs,
            *(re.compile(rb"\A" + re.escape(key) + rb"\Z") for key in keys),
        ],
        no_patterns=_patterns("no_key", filters.get("no_key")),
        kinds=_kinds("type", filters.get("type")),
        no_kinds=_kinds("no_type", filters.get("no_type")),
        dbs=_databases("db", filters.get("db")),
        no_dbs=_databases("no_db", filters.get("no_db")),
        expired=filters.get("expired"),
        now_ms=now_ms,
        slots=_slots(filters.get("slot")),
        limit=count_of("limit", filters.get("limit")),
    )


def key_choice_of(
    exact_key: str | bytes | Iterable[str | bytes] | None,
    glob: str | bytes | Iterable[str | bytes] | None,
    regex: Patterns | None,
) -> KeyChoice:
    """Return the keys of a history. Raises ValueError, TypeError."""
    from rdbtool.operations.history.history import KeyChoice  # noqa: PLC0415 - for one function only

    keys = [key_of(row, "exact_key") for row in _several("exact_key", exact_key, (str, bytes))]
    globs = [key_of(row, "glob") for row in _several("glob", glob, (str, bytes))]
    return KeyChoice(tuple(dict.fromkeys(keys)), tuple(dict.fromkeys(globs)), tuple(_patterns("regex", regex)))


def leaving_of(drop: str | Iterable[str] | None, filters: KeyFilters, *, functions: bool | None) -> Leaving:
    """Return what to drop. Raises ValueError, TypeError."""
    from rdbtool.operations.convert.omissions import Leaving  # noqa: PLC0415 - for what writes datasets

    check_flags(functions=functions)
    parts = _several("drop", drop, (str,))
    try:
        return Leaving.parse(parts, functions=functions, has_filter=are_about_keys(filters))
    except ValueError as error:
        raise ArgumentError("drop", str(error)) from None


def reshaping_of(
    expiry: timedelta | str | None,
    rename: Mapping[str | bytes | re.Pattern[bytes], str | bytes] | None,
    move_db: Mapping[int, int] | None,
    now_ms: int,
) -> Reshaping | None:
    """Return the changes to keys, None: none. Raises ValueError, TypeError."""
    if expiry in {None, "keep"} and not rename and not move_db:
        return None
    from rdbtool.operations.convert.reshaping import EXPIRIES, Rename, Reshaping  # noqa: PLC0415 - for what writes datasets

    renames = []
    for pattern, text in _mapping("rename", rename).items():
        try:
            renames.append(Rename.parse(_patterns("rename", pattern)[0], key_of(text, "rename")))
        except ValueError as error:
            raise error if isinstance(error, ArgumentError) else ArgumentError("rename", str(error)) from None
    moves = {
        count_of("move_db", old) or 0: count_of("move_db", new) or 0
        for old, new in _mapping("move_db", move_db).items()
    }
    shaped = Reshaping("keep", 0, now_ms, tuple(renames), moves)
    if isinstance(expiry, timedelta):
        return shaped._replace(expiry="shift", shift_ms=expiry // timedelta(milliseconds=1))
    word = text_of("expiry", expiry)
    if word is None:
        return shaped
    if word[:1] in {"+", "-"}:
        shift_ms = milliseconds_of("expiry", word[1:])
        return shaped._replace(expiry="shift", shift_ms=-shift_ms if word[0] == "-" else shift_ms)
    plan = next((row for row in EXPIRIES if row == word), None)
    if plan is None:
        raise ArgumentError("expiry", f"must be one of {', '.join(EXPIRIES)}, +1h, -30m, not {word!r}")
    return shaped._replace(expiry=plan)


def _mapping(name: str, given: Mapping[_K, _T] | None) -> Mapping[_K, _T]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{name}: expected a mapping, found {given!r}")
    return given or {}


def _several(name: str, given: Any, types: tuple[type, ...]) -> list[Any]:
    """Return one or several values as a list. Raises TypeError for anything else."""
    if given is None:
        return []
    rows = [given] if isinstance(given, types) or not isinstance(given, Iterable) else list(given)
    for row in rows:
        if not isinstance(row, types) or isinstance(row, bool):
            wanted = " or ".join(kind.__name__ for kind in types)
            raise TypeError(f"{name}: expected {wanted}, or several of them, found {row!r}")
    return rows


def _patterns(name: str, given: Patterns | None) -> list[re.Pattern[bytes]]:
    patterns = []
    for row in _several(name, given, (str, bytes, re.Pattern)):
        try:
            pattern = re.compile(row if isinstance(row, re.Pattern) else key_of(row))
        except re.error as error:
            raise ArgumentError(name, f"{row!r}: {error}") from None
        if not isinstance(pattern.pattern, bytes):
            raise TypeError(f"{name}: expected a pattern of bytes, found {row!r}")
        patterns.append(pattern)
    return patterns


def _kinds(name: str, given: str | Iterable[str] | None) -> frozenset[str]:
    kinds = [KIND_ALIASES.get(row.lower(), row.lower()) for row in _several(name, given, (str,))]
    return frozenset(choice_of(name, kind, KINDS) for kind in kinds)


def _databases(name: str, given: int | Iterable[int] | None) -> frozenset[int]:
    return frozenset(count_of(name, row) or 0 for row in _several(name, given, (int,)))


def _slots(given: int | tuple[int, int] | str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    if isinstance(given, str):
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", given)
        rows = [int(match[1]), int(match[2] or match[1])] if match else []
    else:
        rows = _several("slot", given, (int,))
    if len(rows) not in {1, 2} or not 0 <= rows[0] <= rows[-1] < _SLOTS:
        raise ArgumentError("slot", f"{given!r} is not a valid slot: expected 0 to {_SLOTS - 1}, or A-B")
    return rows[0], rows[-1]
