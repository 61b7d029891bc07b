"""Write RDB files from whatever can be fed to a sink: an open reader, an engine, or records and items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.feeder import Feeder
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sink import Null
from rdbtool.core.errors import Loss
from rdbtool.core.light_typing import TYPE_CHECKING, Any, NamedTuple, cast
from rdbtool.core.progress import Progress
from rdbtool.core.servers import Target
from rdbtool.model import Header, Item, KeyRecord
from rdbtool.writer.dataset_writer import DatasetWriter

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink


class Written(NamedTuple):
    """What was written: keys, bytes, and what the target could not hold (see ``Loss``)."""

    keys: int
    bytes: int
    losses: list[Loss]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON."""
        lost = [loss.to_dict() for loss in self.losses if loss.severity == "loss"]
        notes = [loss.to_dict() for loss in self.losses if loss.severity == "note"]
        return {"schema": 1, "keys": self.keys, "bytes": self.bytes, "losses": lost, "notes": notes}


def raise_target(
    target: Target, source: Feeder, *, commands: bool = False, selection: Selection | None = None
) -> Target:
    """Return ``target``, or the first newer version of Redis that holds what ``target`` cannot.

    ``commands``: it will be written as commands.
    """
    magic, version, release = target
    fit = TargetFilter(Null(), magic=magic, version=version, release=release, commands=commands, allow_loss=True)
    source.feed(fit, selection=selection)
    fit.close()
    if selection is not None:
        selection.taken = 0
    return target.raised_for(fit.losses)


def write_rdb(
    source: Feeder | Iterable[KeyRecord | Item],
    write: Callable[[bytes], object],
    target: Target,
    *,
    compress: bool = True,
    checksum: bool = True,
    allow_loss: bool = False,
    sizes: Mapping[int, tuple[int, int]] | None = None,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a whole RDB of ``source`` for ``target``, passing its bytes to ``write``.

    ``sizes`` are the numbers of keys, and of keys with an expiry, by db: hints for the loading server. By default those
    that the source announces are written, unless a ``selection`` of its keys makes them wrong. ``compress`` and
    ``checksum`` are the servers' ``rdbcompression`` and ``rdbchecksum``. ``selection`` and ``progress`` are for sources
    with ``feed``. The same source and the same arguments give the same bytes.

    Raises LossError at the first key that the target cannot hold, unless ``allow_loss``; what was written before is
    then not a whole file. Raises whatever reading the source and ``write`` raise.
    """
    if hasattr(source, "feed"):
        feeder = cast("Feeder", source)
    elif selection is not None or progress is not None:
        raise TypeError("only a source that feeds can select or report progress")
    else:
        feeder = _Items(source)
    if sizes is None and selection is not None:
        sizes = {}
    make = partial(
        Rdb,
        magic=target.magic,
        version=target.version,
        release=target.release,
        compress=compress,
        checksum=checksum,
        sizes=sizes,
    )
    writer = DatasetWriter(
        feeder,
        make,
        target,
        allow_loss=allow_loss,
        announces=sizes is None,
        selection=selection,
        progress=progress,
    )
    writer.write(write, fingerprint=False)
    return Written(writer.keys, writer.bytes, writer.losses)


class _Items:
    """Individual records and items as a source."""

    def __init__(self, items: Iterable[KeyRecord | Item]) -> None:
        self._items = items

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> None:
        """Feed ``sink`` with everything."""
        del selection, progress  # refused by write_rdb
        for item in self._items:
            if isinstance(item, KeyRecord):
                feed_record(item, sink)
            elif not isinstance(item, Header):
                feed_item(item, sink)
