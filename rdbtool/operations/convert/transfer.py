"""Write a dataset in a form, with the checks of validation.

Outputs are read back with those checks; commands are read back as the target server executes them, which may refuse
none: key by key, so that compared keys can be freed. The input is checked while it is read, if it is a file that was
not validated, so that faults are reported with their place in the input. The checks are those of ``validate`` (the
``Check`` sink and the rules); the first error ends the conversion. What a target cannot hold anyway is not checked: it
is a loss, or refused as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rdbtool._codec.sinks.check import Check
from rdbtool.core.errors import Finding, InputError, InvalidDataError, Remedy, UnsupportedError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import REDIS
from rdbtool.core.servers import FIRST_WITH_PARTS, Rules, Target, default_target, server_of
from rdbtool.dataset.forms import BY_ENCODING, Encoding, Form, SinkOptions
from rdbtool.operations.validate.checks.file_rules import ItemJudge
from rdbtool.operations.validate.checks.record_rules import RULES
from rdbtool.operations.validate.rdb import describe_remark, describe_row, validate_jsonl, validate_rdb
from rdbtool.operations.validate.verdict import Checks
from rdbtool.writer.dataset_writer import DatasetWriter
from rdbtool.writer.rdb import raise_target

if TYPE_CHECKING:
    from rdbtool._codec.feeder import Feeder
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool._codec.sinks.check import Flagged
    from rdbtool.core.rdb_types import Role
    from rdbtool.dataset.dataset import Sizes
    from rdbtool.dataset.replayed import ReplayedDataset
    from rdbtool.engine.replay.loader import Loaded
    from rdbtool.model import Item

#: The RDB version of the first server with multi-part AOFs: Redis 7.0.
_FIRST_WITH_PARTS: Final = 10

#: The RDB version of the first server whose AOF may begin with an RDB: Redis 4.0.
_FIRST_WITH_PREAMBLE: Final = 8

#: The oldest server whose commands are written: older ones had expiry times in whole seconds only.
_OLDEST_WORDS: Final = Rules("redis", 2, 6)

_ONE_FILE: Final = Remedy(": use --to aof", ": use form='aof'")
_COMMANDS: Final = Remedy(": use --no-preamble", ": use preamble=False")

#: More databases than any server has: their number is a matter of configuration.
DATABASES: Final = 1 << 62

#: What is dropped if losses are allowed: empty collections, scores that are not numbers, libraries of release
#: candidates.
_DROPPED: Final = frozenset({"RDB310", "RDB313", "RDB343"})

#: Faults of a function library: irrelevant if the target has no functions.
_LIBRARIES: Final = frozenset({"RDB341", "RDB342", "RDB343", "RDB345"})

#: Bytes of an RDB file that are checked on the way into a pipe. Nothing is read back there or called verified, and
#: checking more would take longer than everything else.
_TESTED_UNREAD: Final = 16 << 20


class SourceFile(NamedTuple):
    """The input file: its ``name`` and its ``size`` in bytes, None if unknown.

    ``line_of`` returns the line number at an offset, None: the file has no lines.
    """

    name: str
    size: int | None = None
    line_of: Callable[[int], int | None] | None = None

    def is_tested(self, *, is_verified: bool) -> bool:
        """Return whether the data is checked while it is written."""
        return is_verified or self.line_of is not None or self.size is None or self.size <= _TESTED_UNREAD


class Transfer(DatasetWriter):
    """One dataset, written once in an encoding for a target.

    ``role`` is the role of an RDB output, and ``sizes`` are the numbers of keys, and of keys with an expiry, announced
    in it by db; None: those of the input. ``origin`` is a file that has to be checked, None: it was. ``on_long``: see
    ``Resp``, ``copies``: see ``Rdb``.
    """

    def __init__(
        self,
        source: Feeder,
        encoding: Encoding,
        target: Target,
        *,
        role: Role = "snapshot",
        allow_loss: bool = False,
        selection: Selection | None = None,
        sizes: Sizes | None = None,
        size: int | None = None,
        progress: Progress | None = None,
        origin: SourceFile | None = None,
        on_long: Callable[[int, bytes, int], object] | None = None,
        copies: bool = False,
    ) -> None:
        form = BY_ENCODING[encoding]
        assert form.make_sink is not None
        sizes = {} if sizes is None and selection is not None else sizes
        options = SinkOptions(target, sizes, role, on_long=on_long, copies=copies)
        super().__init__(
            source,
            partial(form.make_sink, options=options),
            target if form.has_target else None,
            commands=encoding == "commands",
            allow_loss=allow_loss,
            selection=selection,
            size=size,
            progress=progress,
            read_back=partial(_read_back, form, server_of(*target), duplicates=copies),
            make_test=None if origin is None else partial(_make_test, origin, allow_loss=allow_loss),
            copies=copies,
        )
        self.encoding = encoding
        self.written_for = target


def _make_test(origin: SourceFile, *, is_verified: bool, has_functions: bool, allow_loss: bool) -> Sink | None:
    """Return a sink that checks a file, None if that is not worth its time."""
    if not origin.is_tested(is_verified=is_verified):
        return None
    return make_check(origin, allow_loss=allow_loss, has_functions=has_functions)


def make_check(origin: SourceFile, *, allow_loss: bool, has_functions: bool) -> Check:
    """Return a sink that raises InvalidDataError for the first error.

    ``allow_loss``: ignore what the target's filter drops then. ``has_functions``: the target has functions.
    """
    passed = (_DROPPED if allow_loss else frozenset()) | (frozenset() if has_functions else _LIBRARIES)
    checked = _ItemCheck(origin, passed)

    def refuse(row: Flagged) -> None:
        rule = RULES[row.flag]
        if rule.severity == "error" and rule.code not in passed:
            raise _refusal(origin, describe_row(row, origin.name))

    return Check(checked.on_item, refuse, size=origin.size)


def _read_back(form: Form, rules: Rules, path: str, sink: Sink, progress: Progress | None, *, duplicates: bool) -> None:
    """Feed ``sink`` from what was written. Raises InvalidDataError for invalid data, and what reading raises.

    ``duplicates`` False: keys, members and fields are not looked up for others that are the same. The source has none
    twice: it was tested, or is what an engine holds; and if the output had, its fingerprint would be another one.
    Records that were copied as they are stored are in no fingerprint.
    """
    assert form.read_back is not None
    checks = Checks(rules=rules, databases=DATABASES)
    with form.read_back(path, rules) as dataset:
        if dataset.kind == "rdb":
            verdict = validate_rdb(dataset, checks, progress, also=sink, duplicates=duplicates)
        elif dataset.kind == "jsonl":
            verdict = validate_jsonl(dataset, checks, progress, also=sink, duplicates=duplicates)
        else:
            # The target server executes all of them, or this raises.
            dataset.feed(sink, progress=progress)
            return
    error = next((finding for finding in verdict.findings if finding.severity == "error"), None)
    if error is not None:
        raise InvalidDataError(error._replace(part="what was written"))
    if verdict.error is not None:
        raise InputError(verdict.error)


def check_loaded(loaded: Loaded, name: str) -> None:
    """Raise InvalidDataError for the first error in the snapshot of an AOF (``name``), or in a function library."""
    for part, row in loaded.flagged:
        if RULES[row.flag].severity == "error":
            raise _refusal(SourceFile(part), describe_row(row, part))
    libraries = _ItemCheck(SourceFile(name), frozenset())
    for library in loaded.replay.engine.libraries:
        libraries.on_item(library)


class _ItemCheck:
    """Checks items other than records."""

    def __init__(self, origin: SourceFile, passed: frozenset[str]) -> None:
        self._origin = origin
        self._passed = passed
        self._items = ItemJudge(lambda: 0, DATABASES, 0)

    def on_item(self, item: Item) -> None:
        self._items.on_item(item)
        remarks = self._items.remarks
        for remark in remarks:
            if remark.severity == "error" and remark.code not in self._passed:
                raise _refusal(self._origin, describe_remark(remark, self._origin.name))
        remarks.clear()


def _refusal(origin: SourceFile, finding: Finding) -> InvalidDataError:
    line = None
    if origin.line_of is not None and finding.offset >= 0:
        line = origin.line_of(finding.offset)
    return InvalidDataError(finding, line=line)


def target_for(
    dataset: ReplayedDataset,
    encoding: Encoding,
    form: Form,
    *,
    is_asked_for: bool,
    selection: Selection | None = None,
) -> tuple[Target, bool]:
    """Return the default target for the dataset of an AOF, and whether its data required a newer version.

    ``is_asked_for``: the rules were given. Then an AOF is written for that server, unless it keeps the RDB version of
    its base. Otherwise commands are those of the oldest server that may have written the AOF.
    """
    loaded, is_named = dataset.loaded, dataset.names_version
    if is_asked_for and (encoding == "commands" or (form.role != "snapshot" and not is_named)):
        return Target.of_release(loaded.rules), False
    if is_named:
        return default_target(dataset.header, dataset.aux), False
    unnamed = default_target(None)
    if encoding == "jsonl":
        return unnamed, False
    if encoding == "commands":
        unnamed = Target.of_release(oldest_server(loaded, form))
    target = raise_target(unnamed, dataset.doubtful(), commands=encoding == "commands", selection=selection)
    return target, target != unnamed


def oldest_server(loaded: Loaded, form: Form) -> Rules:
    """Return the oldest server that may have written an AOF that names none, and that can load a form."""
    if "redis" not in loaded.least:
        return loaded.least["valkey"]
    return max(loaded.least["redis"], FIRST_WITH_PARTS if form.role == "base" else _OLDEST_WORDS)


def remark_names(rename_commands: Mapping[str, str] | None, encoding: Encoding) -> list[str]:
    """Return the remark on an output of commands whose input has renamed commands."""
    if not rename_commands or encoding != "commands":
        return []
    names = ", ".join(sorted({name.upper() for name in rename_commands.values()}))
    return [f"commands have the names that servers give them: a server that renames {names} refuses to load them"]


def check_log(form: Form, encoding: Encoding, target: Target) -> None:
    """Raise UnsupportedError for an AOF that servers of the target cannot load."""
    if target.magic != REDIS:
        return
    if form.role == "base" and target.version < _FIRST_WITH_PARTS:
        raise UnsupportedError(
            f"{target} cannot be written as an AOF directory, which Redis 7.0 introduced", remedy=_ONE_FILE
        )
    if form.role == "log" and encoding == "rdb" and target.version < _FIRST_WITH_PREAMBLE:
        raise UnsupportedError(f"{target} reads no AOF that begins with an RDB", remedy=_COMMANDS)
