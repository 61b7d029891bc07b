"""Writes RDB files from whatever tells of records: an open reader, or records and items one by one.

The encoder is a sink of the codec, so a file that is converted never becomes Python objects. Here
it gets its target, and what it wrote and lost is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.filters.target import Fit
from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sink import Null
from rdbtool.core.errors import Loss
from rdbtool.core.progress import Progress
from rdbtool.model import Header, Item, KeyRecord
from rdbtool.writer.targets import Target

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink


class Written(NamedTuple):
    """What was written: keys, bytes, and what the target could not hold (see ``Loss``)."""

    keys: int
    bytes: int
    losses: list[Loss]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON has it."""
        lost = [loss.to_dict() for loss in self.losses if loss.severity == "loss"]
        notes = [loss.to_dict() for loss in self.losses if loss.severity == "note"]
        return {"schema": 1, "keys": self.keys, "bytes": self.bytes, "losses": lost, "notes": notes}


@runtime_checkable
class Feeding(Protocol):
    """A source that drives a sink, such as an open RDB."""

    def feed(
        self,
        sink: Sink,
        *,
        selection: Selection | None = None,
        progress: Progress | None = None,
    ) -> object:
        """Tell ``sink`` of everything that the source has."""


def raise_target(
    target: Target, source: Feeding, *, commands: bool = False, selection: Selection | None = None
) -> Target:
    """Return ``target``, or the first newer version of Redis that holds what ``target`` cannot.

    ``commands``: it is to be written as commands.
    """
    magic, version, release = target
    fit = Fit(Null(), magic=magic, version=version, release=release, commands=commands, allow_loss=True)
    source.feed(fit, selection=selection)
    fit.close()
    if selection is not None:
        selection.taken = 0
    return target.raised_for(fit.losses)


def write_rdb(
    source: Feeding | Iterable[KeyRecord | Item],
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
    """Write a whole RDB of ``source`` for ``target``, handing its bytes to ``write``.

    ``sizes`` are the numbers of keys, and of keys with an expiry, by db: hints for who loads the file. Without them
    those that the source announces are passed on, unless a ``selection`` of its keys makes them wrong. ``compress``
    and ``checksum`` are the servers' ``rdbcompression`` and ``rdbchecksum``. ``selection`` and ``progress`` are for
    sources that feed. The same source and the same arguments give the same bytes.

    Raises LossError at the first key that the target cannot hold, unless ``allow_loss``; what was handed
    on before is then no whole file. Raises whatever reading the source and ``write`` raise.
    """
    if sizes is None and selection is not None:
        sizes = {}
    encoder = Rdb(
        write,
        magic=target.magic,
        version=target.version,
        release=target.release,
        compress=compress,
        checksum=checksum,
        sizes=sizes,
    )
    sink = Fit(
        encoder,
        magic=target.magic,
        version=target.version,
        release=target.release,
        allow_loss=allow_loss,
        announces=sizes is None,
    )
    if isinstance(source, Feeding):
        source.feed(sink, selection=selection, progress=progress)
    elif selection is not None or progress is not None:
        raise TypeError("only a source that feeds can select or tell its progress")
    else:
        for item in source:
            if isinstance(item, KeyRecord):
                feed_record(item, sink)
            elif not isinstance(item, Header):
                feed_item(item, sink)
    sink.close()
    return Written(encoder.keys, encoder.handed_on, sink.losses)
