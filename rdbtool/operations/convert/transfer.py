"""A dataset on its way into a form, by the rules of validation.

Files are read back by those rules, commands by executing them as the server they are for, which may refuse none: key by
key, so that what has been compared can be forgotten. The source is tested on the way in, where it is a file that was
not validated, so that what is wrong with it is named with its own place. The tests are those of ``validate``
(the ``Check`` sink and the rules); the first error ends the conversion. What a target cannot hold anyway is not tested:
it is a loss, or refused as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from rdbtool._codec.sinks.check import Check
from rdbtool.core.errors import Finding, InputError, InvalidDataError, Remedy, UnsupportedError
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import REDIS
from rdbtool.core.servers import FIRST_WITH_PARTS, Rules, Target, default_target, server_of
from rdbtool.dataset.forms import BY_ENCODING, Encoding, Form, SinkOptions
from rdbtool.operations.validate.checks.file_rules import ItemJudge
from rdbtool.operations.validate.rdb import RULES, describe_remark, describe_row, validate_jsonl, validate_rdb
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

#: The RDB version of the first servers that start from a directory of parts: Redis 7.0.
_FIRST_WITH_PARTS: Final = 10

#: And of the first whose logs may begin with an RDB: Redis 4.0.
_FIRST_WITH_PREAMBLE: Final = 8

#: Whose words are used at least: those before told expiry times in whole seconds.
_OLDEST_WORDS: Final = Rules("redis", 2, 6)

_ONE_FILE: Final = Remedy(": use --to aof", ": use form='aof'")
_COMMANDS: Final = Remedy(": use --no-preamble", ": use preamble=False")

#: More databases than any server has: how many there are is a matter of its configuration.
DATABASES: Final = 1 << 62

#: What is dropped where losses are allowed: empty collections, scores that are no number, libraries of candidates.
_DROPPED: Final = frozenset({"RDB310", "RDB313", "RDB343"})

#: What is wrong with a function library: of no interest where the target has no functions.
_LIBRARIES: Final = frozenset({"RDB341", "RDB342", "RDB343", "RDB345"})

#: Bytes of an RDB file that are tested on their way into a pipe as well. Where nothing is read back, so that nothing is
#: called verified, testing more takes longer than all the rest.
_TESTED_UNREAD: Final = 16 << 20


class SourceFile(NamedTuple):
    """The file that data comes from: its ``name`` and its ``size`` in bytes, None where it is unknown.

    ``line_of`` returns the number of the line at an offset, None: it has no lines.
    """

    name: str
    size: int | None = None
    line_of: Callable[[int], int | None] | None = None

    def is_tested(self, *, is_verified: bool) -> bool:
        """Return whether the data is tested while it is written to an output that is read back, or is not."""
        return is_verified or self.line_of is not None or self.size is None or self.size <= _TESTED_UNREAD


class Transfer(DatasetWriter):
    """One dataset, written once in an encoding for a target.

    ``role`` is what an RDB is to be, and ``sizes`` are numbers of keys, and of keys with an expiry, by db, announced in
    it; None: what the source announces. ``origin`` is a file that has to be tested, None: it was.
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
    ) -> None:
        form = BY_ENCODING[encoding]
        assert form.make_sink is not None
        options = SinkOptions(target, {} if sizes is None and selection is not None else sizes, role)
        super().__init__(
            source,
            partial(form.make_sink, options=options),
            target if form.has_target else None,
            commands=encoding == "commands",
            allow_loss=allow_loss,
            selection=selection,
            size=size,
            progress=progress,
            read_back=partial(_read_back, form, server_of(*target)),
            make_test=None if origin is None else partial(_make_test, origin, allow_loss=allow_loss),
        )
        self.encoding = encoding
        self.written_for = target


def _read_back(form: Form, rules: Rules, path: str, sink: Sink, progress: Progress | None) -> None:
    read_valid(path, form, rules, sink, progress)


def _make_test(origin: SourceFile, *, is_verified: bool, has_functions: bool, allow_loss: bool) -> Sink | None:
    """Return a sink that tests a file, None where that is not worth its time."""
    if not origin.is_tested(is_verified=is_verified):
        return None
    return make_check(origin, allow_loss=allow_loss, has_functions=has_functions)


def make_check(origin: SourceFile, *, allow_loss: bool, has_functions: bool) -> Check:
    """Return a sink that raises InvalidDataError for the first error in what it is told.

    ``allow_loss``: what the target's filter drops then is passed over. ``has_functions``: the target has functions.
    """
    passed = (_DROPPED if allow_loss else frozenset()) | (frozenset() if has_functions else _LIBRARIES)
    judge = _ItemCheck(origin, passed)

    def refuse(row: Flagged) -> None:
        rule = RULES[row.flag]
        if rule.severity == "error" and rule.code not in passed:
            raise _refusal(origin, describe_row(row, origin.name))

    return Check(judge.hear, refuse)


def read_valid(path: str, form: Form, rules: Rules, sink: Sink, progress: Progress | None) -> None:
    """Tell ``sink`` of what a file holds. Raises InvalidDataError where that is an error, and what reading raises."""
    assert form.read_back is not None
    checks = Checks(rules=rules, databases=DATABASES)
    with form.read_back(path, rules) as dataset:
        if dataset.kind == "rdb":
            verdict = validate_rdb(dataset, checks, progress, also=sink)
        elif dataset.kind == "jsonl":
            verdict = validate_jsonl(dataset, checks, progress, also=sink)
        else:
            # The server that they are for executes them all, or this raises.
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
        libraries.hear(library)


class _ItemCheck:
    """Refuses items other than records."""

    def __init__(self, origin: SourceFile, passed: frozenset[str]) -> None:
        self._origin = origin
        self._passed = passed
        self._items = ItemJudge(lambda: 0, DATABASES, 0)

    def hear(self, item: Item) -> None:
        self._items.hear(item)
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
    """Return what the dataset of an AOF is written as where no target was given, and whether its data raised that.

    ``is_asked_for``: the rules were. Then an AOF is written for the server that they name, unless it keeps the RDB
    version of its base. Else commands have the words of the oldest server that may have written the AOF.
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
    """Return the oldest server that may have written an AOF that names none, and that starts from a form."""
    if "redis" not in loaded.least:
        return loaded.least["valkey"]
    return max(loaded.least["redis"], FIRST_WITH_PARTS if form.role == "base" else _OLDEST_WORDS)


def remark_names(rename_commands: Mapping[str, str] | None, encoding: Encoding) -> list[str]:
    """Return what to tell of an output of commands where the source has renamed ones."""
    if not rename_commands or encoding != "commands":
        return []
    names = ", ".join(sorted({name.upper() for name in rename_commands.values()}))
    return [f"commands have the names that servers give them: a server that renames {names} refuses to load them"]


def check_log(form: Form, encoding: Encoding, target: Target) -> None:
    """Raise UnsupportedError for a log that servers of the target cannot start from."""
    if target.magic != REDIS:
        return
    if form.role == "base" and target.version < _FIRST_WITH_PARTS:
        raise UnsupportedError(f"{target} starts from one file, not from a directory of parts", remedy=_ONE_FILE)
    if form.role == "log" and encoding == "rdb" and target.version < _FIRST_WITH_PREAMBLE:
        raise UnsupportedError(f"{target} reads no AOF that begins with an RDB", remedy=_COMMANDS)
