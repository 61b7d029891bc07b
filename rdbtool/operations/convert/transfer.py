"""A data set on its way into an output: written for a target, and read back.

What a target cannot hold is decided by one sink (``Fit``), and behind it the same events go to the encoder and
to a ``Fingerprint``. The output is read back through another ``Fit`` of the same target into another
fingerprint; when the two differ, the output is refused. Commands are read back by replaying them, key by key, so that
what has been compared can be forgotten. The same reading validates the output: files by the rules of validation,
commands by executing them as the server they are for, which may refuse none. The source is tested on the way in, where
it is a file that was not validated (``sound``), so that what is wrong with it is named with its own place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from rdbtool._codec.filters.target import Fit
from rdbtool._codec.filters.tee import Tee
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import InputError, InvalidDataError, Loss, RdbToolError, describe_error
from rdbtool.core.servers import server_of

if TYPE_CHECKING:
    from rdbtool._codec.encode.output import Output as Encoder
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.dataset.origin import SourceFile
    from rdbtool.writer.atomic.output import Output
    from rdbtool.writer.targets import Target

Encoding = Literal["rdb", "commands", "jsonl"]
Progress = Callable[[int], object]


class Telling(Protocol):
    """A source that tells a sink of everything it has."""

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> object:
        """Tell ``sink`` of everything that the source has."""


class Transfer:
    """One source, written once in one encoding.

    ``sizes`` are numbers of keys, and of keys with an expiry, by db, announced in an RDB; None: what the source
    announces. After ``write``: ``keys`` and ``bytes`` that were written, ``losses`` (see ``Loss``), and the
    ``fingerprint`` that ``check`` compares. ``progress`` is called while reading, on the way out and on the way back.
    ``origin`` is a source that has to be tested, None: it was; ``is_tested`` tells whether it is.
    """

    def __init__(
        self,
        source: Telling,
        encoding: Encoding,
        target: Target,
        *,
        allow_loss: bool = False,
        selection: Selection | None = None,
        sizes: dict[int, tuple[int, int]] | None = None,
        progress: Progress | None = None,
        origin: SourceFile | None = None,
    ) -> None:
        self.source = source
        self.origin = origin
        self.encoding = encoding
        self.target = target
        self.allow_loss = allow_loss
        self.selection = selection
        self.sizes = {} if sizes is None and selection is not None else sizes
        self.progress = progress
        self.is_tested = True
        self.keys = 0
        self.bytes = 0
        self.losses: list[Loss] = []
        self.fingerprint: str | None = None

    def watch(self, look: Callable[[], object]) -> None:
        """Call ``look`` wherever progress is told, so that it may raise: compiled loops do not hear signals."""
        tell = self.progress

        def progress(done: int) -> None:
            look()
            if tell is not None:
                tell(done)

        self.progress = progress

    def write_to(self, output: Output) -> bool:
        """Write everything to an output, which has itself read back where it can; return whether it does."""
        is_verified = output.verify_with(self.check)
        self.write(output.write, fingerprint=is_verified)
        return is_verified

    def write(self, write: Callable[[bytes], object], *, fingerprint: bool = True) -> None:
        """Write everything, handing the bytes to ``write``. Raises LossError, and what reading and writing raise.

        Without ``fingerprint`` there is nothing to ``check`` by.
        """

        def count(piece: bytes) -> None:
            write(piece)
            self.bytes += len(piece)

        sums = self._make_fingerprint()
        encoder: Sink = self._make_encoder(count)
        if fingerprint or self.encoding == "jsonl":
            encoder = Tee(encoder, sums)
        fit = self._make_fit(encoder)
        sink = fit or encoder
        self.is_tested = self.origin is None or self.origin.is_tested(is_verified=fingerprint)
        if self.origin is not None and self.is_tested:
            from rdbtool.operations.convert.soundness import make_check  # noqa: PLC0415 - the rules, which repairs have applied before

            has_functions = fit is None or fit.has_functions
            sink = Tee(make_check(self.origin, allow_loss=self.allow_loss, has_functions=has_functions), sink)
        self.source.feed(sink, selection=self.selection, progress=self.progress)
        sink.close()
        self.keys = sums.keys if fit is None else fit.keys
        self.losses = [] if fit is None else fit.losses
        self.fingerprint = sums.hexdigest() if fingerprint else None

    def check(self, path: str, also: Sink | None = None) -> None:
        """Read an output back. Raises InvalidDataError unless it is valid, InputError unless it is what was written.

        ``also`` hears what the output holds.
        """
        fingerprint = self._make_fingerprint()
        fit = self._make_fit(fingerprint) or fingerprint
        sink = fit if also is None else Tee(fit, also)
        try:
            self._read(path, sink)
        except InvalidDataError:
            raise
        except RdbToolError as error:
            raise InputError(f"what was written cannot be read back: {describe_error(error)}") from error
        if fingerprint.hexdigest() != self.fingerprint:
            raise InputError(
                f"what was written is not what was read: {fingerprint.keys} keys with the fingerprint "
                f"{fingerprint.hexdigest()} instead of {self.keys} with {self.fingerprint}"
            )

    def _make_fingerprint(self) -> Fingerprint:
        # Servers forget the sign of a zero in small sorted sets that come from commands.
        return Fingerprint(signed_zeros=self.encoding != "commands")

    def _make_fit(self, sink: Sink) -> Fit | None:
        if self.encoding == "jsonl":
            return None
        magic, version, release = self.target
        commands = self.encoding == "commands"
        return Fit(sink, magic=magic, version=version, release=release, commands=commands, allow_loss=self.allow_loss)

    def _make_encoder(self, write: Callable[[bytes], object]) -> Encoder:
        # Imported one by one: each is a shared library, and a run needs one of them.
        magic, version, release = self.target
        if self.encoding == "rdb":
            from rdbtool._codec.encode.rdb import Rdb  # noqa: PLC0415

            return Rdb(write, magic=magic, version=version, release=release, sizes=self.sizes)
        if self.encoding == "commands":
            from rdbtool._codec.encode.resp import Resp  # noqa: PLC0415

            return Resp(write, magic=magic, version=version, release=release)
        from rdbtool._codec.encode.jsonl import Jsonl  # noqa: PLC0415

        return Jsonl(write)

    def _read(self, path: str, sink: Sink) -> None:
        rules = server_of(*self.target)
        if self.encoding == "commands":
            from rdbtool.engine.replay.streaming import feed_commands  # noqa: PLC0415 - the engine

            feed_commands(path, sink, rules, self.progress)
        else:
            from rdbtool.operations.convert.soundness import read_valid  # noqa: PLC0415 - as above

            read_valid(path, self.encoding, rules, sink, self.progress)
        sink.close()
