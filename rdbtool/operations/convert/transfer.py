"""A dataset on its way into a form, by the rules of validation.

Files are read back by those rules, commands by executing them as the server they are for, which may refuse none: key by
key, so that what has been compared can be forgotten. The source is tested on the way in, where it is a file that was
not validated, so that what is wrong with it is named with its own place.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rdbtool.core.servers import server_of
from rdbtool.dataset.forms import BY_ENCODING, Encoding, Form, SinkOptions
from rdbtool.writer.dataset_writer import DatasetWriter

if TYPE_CHECKING:
    from rdbtool._codec.feeder import Feeder
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress
    from rdbtool.core.rdb_types import Role
    from rdbtool.core.servers import Rules
    from rdbtool.dataset.dataset import Sizes
    from rdbtool.operations.convert.soundness import SourceFile
    from rdbtool.writer.targets import Target


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
            progress=progress,
            read_back=partial(_read_back, form, server_of(*target)),
            make_test=None if origin is None else partial(_make_test, origin, allow_loss=allow_loss),
        )
        self.encoding = encoding
        self.written_for = target


def _read_back(form: Form, rules: Rules, path: str, sink: Sink, progress: Progress | None) -> None:
    from rdbtool.operations.convert.soundness import read_valid  # noqa: PLC0415 - the rules, which repairs have applied before

    read_valid(path, form, rules, sink, progress)


def _make_test(origin: SourceFile, *, is_verified: bool, has_functions: bool, allow_loss: bool) -> Sink | None:
    """Return a sink that tests a file, None where that is not worth its time."""
    if not origin.is_tested(is_verified=is_verified):
        return None
    from rdbtool.operations.convert.soundness import make_check  # noqa: PLC0415 - as above

    return make_check(origin, allow_loss=allow_loss, has_functions=has_functions)
