"""Inflate in another process, made by ``fork``, while the previous pieces are being decoded.

A thread would wait for the decoder, which holds the GIL, at each of the many pieces in which compression libraries make
their output. Pieces and errors come through a pipe, in the same order as in one process.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable

from rdbtool.core.errors import RdbToolError
from rdbtool.core.forks import end, fork, leave_signals
from rdbtool.core.light_typing import Final, NoReturn
from rdbtool.io.decompress import DamagedStreamError, EndedProcessError, WindowSizeError
from rdbtool.io.pipes import widen

#: Before a piece: its size, the result of ``tell`` after it, and whether it is an error.
_HEAD: Final = struct.Struct("<qq?")

#: What ``read`` may raise.
ERRORS: Final = (DamagedStreamError, WindowSizeError, RdbToolError, MemoryError)


class Beside:
    """Calls ``read`` in a separate process, a megabyte ahead, until it returns nothing or raises.

    ``place`` is the result of ``tell``, called there after the piece that ``take`` returned last. Raises OSError if
    there can be no process.
    """

    def __init__(self, read: Callable[[], bytes], tell: Callable[[], int]) -> None:
        self.place = tell()
        self._end: bytes | Exception | None = None
        self._pipe, pipe = os.pipe()
        try:
            widen(pipe)
            self._process = fork()
            if self._process == 0:
                self._serve(read, tell, pipe)
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(pipe)

    def take(self) -> bytes:
        """Return the next piece, empty at the end. Raises the error of ``read``, or EndedProcessError."""
        if isinstance(self._end, Exception):
            raise self._end
        if self._end is not None:
            return self._end
        head = self._receive(_HEAD.size)
        size, self.place, is_error = _HEAD.unpack(head)
        piece = self._receive(size)
        if is_error:
            self._end = pickle.loads(piece)  # noqa: S301 - from a copy of this process
            assert isinstance(self._end, Exception)
            raise self._end
        if not piece:
            self._end = piece
        return piece

    def close(self) -> None:
        """End the process, and discard what it has read."""
        os.close(self._pipe)
        end(self._process)

    def _receive(self, size: int) -> bytes:
        pieces = []
        while size:
            piece = os.read(self._pipe, size)
            if not piece:
                self._end = EndedProcessError()
                raise self._end
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _serve(self, read: Callable[[], bytes], tell: Callable[[], int], pipe: int) -> NoReturn:
        try:
            leave_signals()
            os.close(self._pipe)
            piece, is_error = b"-", False
            while piece and not is_error:
                try:
                    piece = read()
                except ERRORS as error:
                    piece, is_error = pickle.dumps(error), True
                rest = memoryview(_HEAD.pack(len(piece), tell(), is_error) + piece)
                while rest:
                    rest = rest[os.write(pipe, rest) :]
        finally:
            os._exit(0)
