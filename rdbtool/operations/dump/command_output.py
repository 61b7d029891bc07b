"""Commands that rebuild the data: plain ones, or RESTORE with payloads.

Without a target, the commands are those of the source's server, and payloads of an RDB file are its values as stored.
For a target, and from sources without stored values (an AOF, JSON lines), values are encoded for the server that
executes the commands, and what it cannot hold is refused or reported. A value whose payload exceeds the servers' limit
for an argument is written as plain commands.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool._codec.encode.resp import LONGEST_ARGUMENT, Resp
from rdbtool._codec.filters.drop import Drop
from rdbtool._codec.filters.target import TargetFilter
from rdbtool.core.errors import Loss, RdbToolError
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.progress import Progress
from rdbtool.core.servers import server_of
from rdbtool.operations.convert.omissions import FilterChain
from rdbtool.operations.dump.report import Dumped, LargeValue
from rdbtool.operations.long_arguments import LongArguments

if TYPE_CHECKING:
    from rdbtool._codec.encode.encoder import Encoder
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.servers import Target
    from rdbtool.dataset.dataset import Dataset
    from rdbtool.operations.dump.report import DumpOptions

#: What no command expresses: parts of a source, and their names.
_UNSAID: Final = {
    "module-aux": "module data outside the keys, which no command can write",
    "slot-imports": "a slot import, which no command can write",
}


def write_commands(
    dataset: Dataset,
    write: Callable[[bytes], object],
    options: DumpOptions,
    *,
    selection: Selection | None = None,
    progress: Progress | None = None,
    largest: int = LONGEST_ARGUMENT,
) -> Dumped:
    """Write commands for the keys that ``selection`` matches, in the form ``resp``; see ``dump_keys``.

    A value whose RESTORE payload exceeds ``largest`` bytes is written as plain commands.
    """
    return _Commands(dataset, write, options, largest).run(selection, progress)


class _Commands:
    """One run of ``write_commands``."""

    def __init__(self, dataset: Dataset, write: Callable[[bytes], object], options: DumpOptions, largest: int) -> None:
        self.dataset = dataset
        self.write = write
        self.options = options
        self.largest = largest
        self.large: list[LargeValue] = []
        self.long = LongArguments()
        self.target = options.target
        self.chain = FilterChain(options.leaving.without("aux"), options.reshaping)

    def run(self, selection: Selection | None, progress: Callable[[int], object] | None) -> Dumped:
        options = self.options
        changes = "groups" in options.leaving.parts or (
            options.reshaping is not None and options.reshaping.changes_values
        )
        is_stored = self.dataset.kind == "rdb" and not changes
        if self.target is None and options.restore and not is_stored:
            self.target = _own_target(self.dataset, selection)
        sink: Sink
        unsaid = None
        if self.target is None:
            encoder: Sink = Resp(
                self.write,
                restore=options.restore,
                replace=options.replace,
                on_large=self._report_large if options.restore else None,
                on_long=self.long,
                largest=self.largest,
            )
            sink = unsaid = Drop(encoder, parts=_UNSAID)
            fit = None
        else:
            encoder = self._make_encoder(self.target, restore=options.restore)
            sink = fit = self._make_fit(encoder, self.target, restore=options.restore)
        try:
            self.chain.feed(self.dataset, sink, selection=selection, progress=progress)
        except RdbToolError:
            encoder.flush()
            raise
        encoder.close()
        losses = [] if fit is None else fit.losses
        if unsaid is not None:
            losses = [Loss(None, None, _UNSAID[part], "loss", count, None) for part, count in unsaid.dropped.items()]
        return Dumped([*losses, *self.long.notes], self.chain.left, self.large)

    def _make_encoder(self, target: Target, *, restore: bool) -> Encoder | Sink:
        magic, version, release = target
        if not restore:
            return self._plain(target)
        from rdbtool._codec.encode.restore import Restore  # noqa: PLC0415 - with it comes the encoder of RDBs

        return Restore(
            self.write,
            magic=magic,
            version=version,
            release=release,
            replace=self.options.replace,
            on_large=self._report_large,
            largest=self.largest,
        )

    def _plain(self, target: Target | None) -> Resp:
        """Return an encoder of plain commands."""
        magic, version, release = ("REDIS", None, None) if target is None else target
        return Resp(
            self.write,
            replace=self.options.replace,
            magic=magic,
            version=version,
            release=release,
            on_long=self.long,
            largest=self.largest,
        )

    def _make_fit(self, sink: Sink, target: Target, *, restore: bool) -> TargetFilter:
        magic, version, release = target
        return TargetFilter(
            sink,
            magic=magic,
            version=version,
            release=release,
            commands=True,
            payloads=restore,
            allow_loss=self.options.allow_loss or self.options.target is None,
        )

    def _report_large(self, db: int, key: bytes, expire_at_ms: int | None, payload: bytes) -> None:
        """Write plain commands for a value whose payload is too long for RESTORE."""
        from rdbtool.reader.payload import feed_payload  # noqa: PLC0415 - hardly any value is as large

        self.large.append(LargeValue(db, key, len(payload)))
        encoder = self._plain(self.target)
        if self.target is None:
            sink: Sink = encoder
        else:
            sink = self._make_fit(encoder, self.target, restore=False)
        feed_payload(payload, sink, db=db, key=key, expire_at_ms=expire_at_ms)
        encoder.close()


def has_restore(target: Target) -> bool:
    """Return whether the server of a target has RESTORE."""
    return server_of(*target).has((2, 6))


def _own_target(dataset: Dataset, selection: Selection | None) -> Target:
    """Return the format of a dataset's writer; for an AOF that names none, RDB 11 or what its data needs."""
    from rdbtool.core.servers import default_target  # noqa: PLC0415 - see _make_encoder

    if dataset.kind == "aof":
        from rdbtool.dataset.replayed import ReplayedDataset  # noqa: PLC0415 - for AOFs only
        from rdbtool.writer.rdb import raise_target  # noqa: PLC0415 - likewise

        assert isinstance(dataset, ReplayedDataset)
        if not dataset.names_version:
            return raise_target(default_target(None), dataset.doubtful(), selection=selection)
    return default_target(dataset.header, dataset.aux)
