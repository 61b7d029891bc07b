"""Write a dataset for a target, and read it back.

One sink (``TargetFilter``) decides what a target cannot hold; after it the same events go to the encoder and to a
``Fingerprint``. The output is read back through another ``TargetFilter`` of the same target into another fingerprint;
if the two differ, the output is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.filters.tee import Tee
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import (
    FormatError,
    InputError,
    InvalidDataError,
    Loss,
    RdbToolError,
    describe_error,
    describe_loss,
)
from rdbtool.core.light_typing import TYPE_CHECKING, Protocol
from rdbtool.core.progress import begin_pass, polling

if TYPE_CHECKING:
    from rdbtool._codec.encode.encoder import Encoder
    from rdbtool._codec.feeder import Feeder
    from rdbtool._codec.filters.copied_records import BesideCopied, CopiedRecords
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress
    from rdbtool.core.servers import Target
    from rdbtool.writer.atomic.through import Output

Write = Callable[[bytes], object]


class MakeTest(Protocol):
    """Makes a sink that raises on invalid data."""

    def __call__(self, *, is_verified: bool, has_functions: bool) -> Sink | None:
        """Return one for an output that is read back or not, and a target with or without functions."""


def _copy(sink: Sink, encoder: Sink) -> tuple[Sink, CopiedRecords]:
    from rdbtool._codec.encode.rdb import Rdb  # noqa: PLC0415 - only an RDB can be copied into
    from rdbtool._codec.filters.copied_records import CopiedRecords, Copying  # noqa: PLC0415 - likewise

    assert isinstance(encoder, Rdb)
    copied = CopiedRecords(encoder)
    return Copying(sink, copied), copied


def _pass_by(sink: Sink, copied: CopiedRecords) -> BesideCopied:
    from rdbtool._codec.filters.copied_records import BesideCopied  # noqa: PLC0415 - likewise

    return BesideCopied(sink, copied)


class DatasetWriter:
    """One dataset, written once.

    ``make_encoder`` makes the sink that writes it, and ``read_back`` feeds a file's contents to a sink. ``target``
    None: the encoding holds everything. ``commands``: the target receives commands. ``announces``: write the source's
    table sizes. ``copies``: the encoder is an RDB's, and may copy records of the source as they are stored, because
    they were validated before (see ``copied_records``): they go into no fingerprint, but are counted. The sink of
    ``make_test`` receives everything first; None: the source was checked before. If it returns no sink, the source is
    not checked.

    After ``write``: the ``keys`` and ``bytes`` written, ``losses`` (see ``Loss``), whether the source ``is_tested``,
    and the ``fingerprint`` that ``check`` compares. ``progress`` is called while reading, for the input and for reading
    back. ``size`` is that of the input in bytes, None if its reading is not counted in bytes.
    """

    def __init__(
        self,
        source: Feeder,
        make_encoder: Callable[[Write], Encoder],
        target: Target | None,
        *,
        commands: bool = False,
        allow_loss: bool = False,
        announces: bool = True,
        selection: Selection | None = None,
        size: int | None = None,
        progress: Progress | None = None,
        read_back: Callable[[str, Sink, Progress | None], object] | None = None,
        make_test: MakeTest | None = None,
        copies: bool = False,
    ) -> None:
        self.source = source
        self.target = target
        self.progress = progress
        self.keys = 0
        self.bytes = 0
        self.losses: list[Loss] = []
        self.is_tested = True
        self.fingerprint: str | None = None
        self._make_encoder = make_encoder
        self._commands = commands
        self._allow_loss = allow_loss
        self._announces = announces
        self._selection = selection
        self._size = size
        self._read_back = read_back
        self._make_test = make_test
        self._copies = copies
        self._copied: CopiedRecords | None = None

    def watch(self, look: Callable[[], object]) -> None:
        """Call ``look`` with every progress report, so that it may raise: compiled loops do not run signal handlers."""
        self.progress = polling(look, self.progress)

    def write_to(self, output: Output) -> bool:
        """Write everything to an output, and register reading back where possible; return whether it is."""
        is_verified = output.verify_with(self.check)
        self.write(output.write, fingerprint=is_verified)
        return is_verified

    def write(self, write: Write, *, fingerprint: bool = True) -> None:
        """Write everything, passing the bytes to ``write``. Raises LossError, and what reading and writing raise.

        Without ``fingerprint``, ``check`` is impossible.
        """
        sums = self._make_fingerprint()
        encoder = self._make_encoder(write)
        sink: Sink = encoder
        if fingerprint or self.target is None:
            sink = Tee(sink, sums)
        if self._copies and fingerprint and self._selection is None:
            sink, self._copied = _copy(sink, encoder)
        fit = self._make_fit(sink)
        sink = fit or sink
        test = None
        if self._make_test is not None:
            test = self._make_test(is_verified=fingerprint, has_functions=fit is None or fit.has_functions)
            self.is_tested = test is not None
            if test is not None:
                sink = Tee(test, sink)
        begin_pass(self.progress, "writing", "", self._size, left=int(fingerprint))
        try:
            self.source.feed(sink, selection=self._selection, progress=self.progress)
        except FormatError:
            # Keys that wait for their look-up are before the damage.
            if test is not None:
                test.close()
            raise
        sink.close()
        self.bytes = encoder.handed_on
        self.keys = sums.keys if fit is None else fit.keys
        self.losses = [] if fit is None else fit.losses
        self.fingerprint = sums.hexdigest() if fingerprint else None

    def check(self, path: str, also: Sink | None = None) -> None:
        """Read an output back. Raises InvalidDataError if it is invalid, InputError if it is not what was written.

        ``also`` receives the output's contents.
        """
        assert self._read_back is not None
        fingerprint = self._make_fingerprint()
        fit = self._make_fit(fingerprint)
        copied = self._copied if self._copied is not None and self._copied.keys else None
        beside = None if copied is None else _pass_by(fit or fingerprint, copied)
        sink: Sink = beside or fit or fingerprint
        if also is not None:
            sink = Tee(sink, also)
        begin_pass(self.progress, "reading back", "", os.stat(path).st_size)  # noqa: PTH116 - names may be bytes
        try:
            self._read_back(path, sink, self.progress)
            sink.close()
        except InvalidDataError:
            raise
        except RdbToolError as error:
            raise InputError(
                f"what was written cannot be read back: {describe_error(error, with_remedy=False)}"
            ) from error
        # What the filter drops has no part in the fingerprint.
        lost = None if fit is None else next((loss for loss in fit.losses if loss.severity == "loss"), None)
        if lost is not None:
            raise InputError(f"what was written is not what was read: {describe_loss(lost)}")
        missing = 0 if copied is None or beside is None else copied.keys - beside.keys
        if fingerprint.hexdigest() != self.fingerprint or missing:
            keys = fingerprint.keys + (0 if beside is None else beside.keys)
            raise InputError(
                f"what was written is not what was read: {keys} keys with the fingerprint "
                f"{fingerprint.hexdigest()} instead of {self.keys} with {self.fingerprint}"
            )
        if copied is not None and beside is not None and beside.checksum != copied.checksum:
            raise InputError("what was written is not what was read: it has another checksum")

    def _make_fingerprint(self) -> Fingerprint:
        # Servers drop the sign of a zero score in small sorted sets created by commands.
        return Fingerprint(signed_zeros=not self._commands)

    def _make_fit(self, sink: Sink) -> TargetFilter | None:
        if self.target is None:
            return None
        magic, version, release = self.target
        return TargetFilter(
            sink,
            magic=magic,
            version=version,
            release=release,
            commands=self._commands,
            allow_loss=self._allow_loss,
            announces=self._announces,
        )
