"""The table of output forms: their names, the sinks that write them, and how they are read back.

One row per form. ``dump`` prints the forms that are ``printed``; ``convert`` writes those that can be read back, and so
verified. Sinks are imported when they are made: each is a shared library, and a run needs one of them.
"""

from __future__ import annotations

import os

# Where collections.abc takes it from: that is a part of collections, which takes a millisecond.
from _collections_abc import Callable

from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol
from rdbtool.core.rdb_types import Role
from rdbtool.core.servers import Rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdbtool._codec.encode.encoder import Encoder
    from rdbtool.core.servers import Target
    from rdbtool.engine.replay.streaming import CommandsFile
    from rdbtool.reader.jsonl.reader import JsonlReader
    from rdbtool.reader.rdb import RdbReader

Write = Callable[[bytes], object]

#: The encodings of a file that holds a whole dataset.
Encoding = Literal["rdb", "commands", "jsonl"]

#: Encodings of strings in jsonl for columns of a single type.
BINARIES: Final = ("base64", "latin1", "escape")

#: Encodings of bytes, where there is a choice.
ESCAPES: Final = ("raw", "print", "utf8", "base64")


class SinkOptions(NamedTuple):
    """Options of a sink.

    ``target`` is the server that an RDB or commands are for, None: the writer of the source. ``sizes`` and ``role`` are
    for an RDB, ``replace``, ``restore`` and ``on_long`` for commands (see ``Resp``), ``escape`` for forms that have
    one, ``keys_only`` and ``binary`` for jsonl that only programs read, ``raw``, ``fields`` and ``is_terminal`` for
    csv. ``copies``: an RDB has values as the source stores them (see ``Rdb``).
    """

    target: Target | None = None
    sizes: dict[int, tuple[int, int]] | None = None
    role: Role = "snapshot"
    replace: bool = False
    escape: str = ""
    keys_only: bool = False
    binary: str | None = None
    raw: bool = False
    fields: Sequence[bytes] = ()
    is_terminal: bool = False
    on_long: Callable[[int, bytes, int], object] | None = None
    copies: bool = False


class MakeSink(Protocol):
    """Makes the sink of a form."""

    def __call__(self, write: Write, /, options: SinkOptions) -> Encoder:
        """Return a sink that passes bytes to ``write``."""


class Form(NamedTuple):
    """A form of output.

    ``suffixes`` are those of file names that select it. ``encodings`` are those that a whole dataset may have in it,
    none if it cannot be read back. ``make_sink`` is None if a file consists of another form (an AOF), or if the report
    renders records (table). ``read_back`` opens what was written, by the rules of a server. ``escape`` is the default
    encoding of bytes, None: there is no choice. ``streams``: it may go to a pipe. ``has_target``: its contents depend
    on the target server. ``role`` is that of an RDB in it.
    """

    name: str
    suffixes: tuple[str, ...]
    encodings: tuple[Encoding, ...] = ()
    make_sink: MakeSink | None = None
    read_back: Callable[[str, Rules], RdbReader | JsonlReader | CommandsFile] | None = None
    printed: bool = False
    escape: str | None = None
    streams: bool = True
    has_target: bool = False
    role: Role = "snapshot"

    @property
    def is_verifiable(self) -> bool:
        """Whether it can be read back as the same dataset."""
        return bool(self.encodings)


def _make_rdb(write: Write, options: SinkOptions) -> Encoder:
    from rdbtool._codec.encode.rdb import Rdb  # noqa: PLC0415

    assert options.target is not None
    magic, version, release = options.target
    return Rdb(
        write,
        magic=magic,
        version=version,
        release=release,
        sizes=options.sizes,
        role=options.role,
        copies=options.copies,
    )


def _make_commands(write: Write, options: SinkOptions) -> Encoder:
    from rdbtool._codec.encode.resp import Resp  # noqa: PLC0415

    if options.target is None:
        return Resp(write, replace=options.replace, on_long=options.on_long)
    magic, version, release = options.target
    return Resp(write, replace=options.replace, magic=magic, version=version, release=release, on_long=options.on_long)


def _make_jsonl(write: Write, options: SinkOptions) -> Encoder:
    from rdbtool._codec.encode.jsonl import Jsonl  # noqa: PLC0415

    return Jsonl(write, keys_only=options.keys_only, binary=options.binary)


def _make_json(write: Write, options: SinkOptions) -> Encoder:
    from rdbtool._codec.encode.json import Json  # noqa: PLC0415

    return Json(write, escape=options.escape)


def _make_csv(write: Write, options: SinkOptions) -> Encoder:
    from rdbtool._codec.encode.csv import Csv, CsvFields  # noqa: PLC0415

    if options.fields:
        return CsvFields(write, options.fields, raw=options.raw, is_terminal=options.is_terminal)
    return Csv(write, raw=options.raw, is_terminal=options.is_terminal)


def _make_keys(write: Write, options: SinkOptions) -> Encoder:
    from rdbtool._codec.encode.keys import Keys  # noqa: PLC0415

    return Keys(write, escape=options.escape)


def _open_rdb(path: str, _rules: Rules) -> RdbReader:
    from rdbtool.reader.rdb import open_rdb  # noqa: PLC0415

    return open_rdb(path)


def _open_jsonl(path: str, _rules: Rules) -> JsonlReader:
    from rdbtool.reader.jsonl.reader import open_jsonl  # noqa: PLC0415

    return open_jsonl(path)


def _open_commands(path: str, rules: Rules) -> CommandsFile:
    from rdbtool.engine.replay.streaming import CommandsFile  # noqa: PLC0415

    return CommandsFile(path, rules)


FORMS: Final = (
    Form("rdb", (".rdb",), ("rdb",), _make_rdb, _open_rdb, has_target=True),
    Form("aof", (".aof",), ("commands", "rdb"), has_target=True, role="log"),
    Form("aof-dir", (), ("rdb", "commands"), has_target=True, role="base", streams=False),
    Form("table", (".txt",), printed=True),
    Form("jsonl", (".jsonl", ".ndjson"), ("jsonl",), _make_jsonl, _open_jsonl, printed=True),
    Form("json", (".json",), make_sink=_make_json, printed=True, escape="utf8"),
    Form("csv", (".csv",), make_sink=_make_csv, printed=True),
    Form("keys", (".keys",), make_sink=_make_keys, printed=True, escape="raw"),
    Form("resp", (".resp",), ("commands",), _make_commands, _open_commands, printed=True, has_target=True),
)

BY_NAME: Final = {form.name: form for form in FORMS}

#: The form that consists of just one encoding.
BY_ENCODING: Final = {form.encodings[0]: form for form in FORMS if form.make_sink is not None and form.encodings}

#: Other tools' names for forms that ``dump`` prints.
FORM_ALIASES: Final = {"justkeys": "keys", "key": "keys", "protocol": "resp", "aof": "resp"}

#: The forms that ``dump`` prints, and those that ``convert`` writes.
PRINTED: Final = tuple(form.name for form in FORMS if form.printed)
CONVERTED: Final = tuple(form.name for form in FORMS if form.is_verifiable)


def form_of(name: str, choice: tuple[str, ...]) -> str | None:
    """Return the form in ``choice`` that the name of an output selects; None if it selects none.

    A directory, or a name that ends in ``/``, selects the directory of an AOF.
    """
    if "aof-dir" in choice and (name.endswith("/") or (name != "-" and os.path.isdir(name))):  # noqa: PTH112 - pathlib takes 3 ms
        return "aof-dir"
    suffix = os.path.splitext(name.rstrip("/"))[1].lower()  # noqa: PTH122 - as above
    return next((form for form in choice if suffix in BY_NAME[form].suffixes), None)
