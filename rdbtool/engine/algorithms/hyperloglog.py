"""HyperLogLogs as servers store them: 16384 registers of 6 bits in a string, dense or run-length coded (format D5).

A sparse one is edited run by run, as servers do it, because the bytes depend on the order of the updates:
equal registers can be stored in more than one way.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.values import StringData

REGISTERS: Final = 16384
HEADER: Final = 16
DENSE_SIZE: Final = HEADER + REGISTERS * 6 // 8

DENSE: Final = 0
SPARSE: Final = 1

#: hll-sparse-max-bytes by default; what does not fit becomes dense.
SPARSE_LIMIT: Final = 3000

#: An empty one: one XZERO run over all registers.
EMPTY: Final = b"HYLL\x01" + bytes(11) + b"\x7f\xff"

CORRUPTED: Final = "INVALIDOBJ Corrupted HLL object detected"

_MASK: Final = (1 << 64) - 1
_MURMUR: Final = 0xC6A4A7935BD1E995
_SEED: Final = 0xADC83B19
_INDEX_BITS: Final = 14
_RANK_BITS: Final = 64 - _INDEX_BITS
_MAX_SPARSE_RANK: Final = 32
_MAX_ZERO_RUN: Final = 64
_MAX_VALUE_RUN: Final = 4

#: The registers that a one-byte run covers; 0 for XZERO, which has two bytes.
_SPANS: Final = bytes((byte & 0x3F) + 1 if byte < 0x40 else 0 if byte < 0x80 else (byte & 3) + 1 for byte in range(256))


def murmur64(data: bytes) -> int:
    """Return the hash of an element: MurmurHash64A with the servers' seed."""
    size = len(data)
    number = _SEED ^ (size * _MURMUR & _MASK)
    whole = size & ~7
    for at in range(0, whole, 8):
        word = int.from_bytes(data[at : at + 8], "little") * _MURMUR & _MASK
        word = (word ^ word >> 47) * _MURMUR & _MASK
        number = (number ^ word) * _MURMUR & _MASK
    if size > whole:
        number = (number ^ int.from_bytes(data[whole:], "little")) * _MURMUR & _MASK
    number = (number ^ number >> 47) * _MURMUR & _MASK
    return number ^ number >> 47


def locate(element: bytes) -> tuple[int, int]:
    """Return the register of an element and its rank, 1 to 51."""
    number = murmur64(element)
    rest = number >> _INDEX_BITS | 1 << _RANK_BITS
    return number & (REGISTERS - 1), (rest & -rest).bit_length()


def is_valid(data: bytes | StringData) -> bool:
    """Whether a string has the header of a HyperLogLog, and the size of a dense one if it is one."""
    if len(data) < HEADER or data[:4] != b"HYLL" or data[4] > SPARSE:
        return False
    return data[4] == SPARSE or len(data) == DENSE_SIZE


def invalidate(data: StringData) -> None:
    """Mark the cached cardinality as stale."""
    data[15] |= 0x80


def set_register(data: StringData, index: int, rank: int) -> bool:
    """Raise a register to ``rank``; return whether that changed it. Raises CommandError on a corrupted value."""
    return _set_dense(data, index, rank) if data[4] == DENSE else _SparseEditor(data).set(index, rank)


def set_registers(data: StringData, ranks: bytes) -> None:
    """Raise registers to ``ranks`` (16384 bytes), ascending, as PFMERGE does."""
    editor = _SparseEditor(data)
    for index, rank in enumerate(ranks):
        if rank:
            if data[4] == DENSE:
                _set_dense(data, index, rank)
            else:
                editor.set(index, rank)


def read_registers(data: bytes | StringData) -> bytearray:
    """Return the 16384 registers, a byte each. Raises CommandError if a sparse value does not cover them exactly."""
    if data[4] == DENSE:
        return _read_dense(data)
    ranks = bytearray(REGISTERS)
    first, at = 0, HEADER
    while at < len(data):
        byte = data[at]
        span = _SPANS[byte]
        if not span:
            # A last run that is cut reads the zero byte that servers keep after every string.
            span = ((byte & 0x3F) << 8 | (data[at + 1] if at + 1 < len(data) else 0)) + 1
            at += 1
        elif byte & 0x80:
            if first + span > REGISTERS:
                break
            ranks[first : first + span] = bytes([(byte >> 2 & 0x1F) + 1]) * span
        first += span
        at += 1
    if first != REGISTERS:
        raise CommandError(CORRUPTED)
    return ranks


def show_runs(data: bytes | StringData) -> bytes:
    """Return the runs of a sparse value as PFDEBUG DECODE answers them: ``Z:16000 v:3,1 z:12``."""
    shown: list[bytes] = []
    at = HEADER
    while at < len(data):
        byte = data[at]
        if byte & 0x80:
            shown.append(b"v:%d,%d" % ((byte >> 2 & 0x1F) + 1, _SPANS[byte]))
        elif _SPANS[byte]:
            shown.append(b"z:%d" % _SPANS[byte])
        else:
            at += 1
            shown.append(b"Z:%d" % (((byte & 0x3F) << 8 | (data[at] if at < len(data) else 0)) + 1))
        at += 1
    return b" ".join(shown)


def make_dense(data: StringData) -> bool:
    """Turn a sparse value into a dense one, in place; return whether it was sparse. Raises CommandError."""
    if data[4] == DENSE:
        return False
    ranks = read_registers(data)
    packed = bytearray()
    for at in range(0, REGISTERS, 4):
        if any(group := ranks[at : at + 4]):
            packed += (group[0] | group[1] << 6 | group[2] << 12 | group[3] << 18).to_bytes(3, "little")
        else:
            packed += b"\0\0\0"
    data[4] = DENSE
    data[HEADER:] = packed
    return True


def _read_dense(data: bytes | StringData) -> bytearray:
    ranks = bytearray()
    for at in range(HEADER, DENSE_SIZE, 3):
        word = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        ranks += bytes((word & 63, word >> 6 & 63, word >> 12 & 63, word >> 18))
    return ranks


def _set_dense(data: StringData, index: int, rank: int) -> bool:
    at, shift = HEADER + index * 6 // 8, index * 6 % 8
    word = data[at] | (data[at + 1] << 8 if shift > 2 else 0)
    if word >> shift & 63 >= rank:
        return False
    word = (word & ~(63 << shift)) | rank << shift
    data[at] = word & 0xFF
    if shift > 2:
        data[at + 1] = word >> 8
    return True


def _zeros(count: int) -> bytes:
    """Return a run of registers that are zero."""
    if count > _MAX_ZERO_RUN:
        return (0x4000 | count - 1).to_bytes(2, "big")
    return bytes([count - 1]) if count else b""


def _value(rank: int, count: int) -> bytes:
    """Return a run of at most four registers of one rank."""
    return bytes([0x80 | rank - 1 << 2 | count - 1]) if count else b""


class _SparseEditor:
    """Sets registers of a sparse value. It remembers where it was: ascending updates do not start over."""

    def __init__(self, data: StringData) -> None:
        self._data = data
        self._hint = (HEADER, 0)

    def set(self, index: int, rank: int) -> bool:
        """Raise a register; return whether that changed it. The value may become dense."""
        data = self._data
        if rank > _MAX_SPARSE_RANK:
            return self._promote(index, rank)
        previous, at, first, span = self._find(index)
        byte = data[at]
        if byte & 0x80:
            old = (byte >> 2 & 0x1F) + 1
            if old >= rank:
                return False
            runs = _value(old, index - first) + _value(rank, 1) + _value(old, first + span - index - 1)
        else:
            runs = _zeros(index - first) + _value(rank, 1) + _zeros(first + span - index - 1)
        size = 1 if _SPANS[byte] else 2
        if len(runs) > size and len(data) + len(runs) - size > SPARSE_LIMIT:
            return self._promote(index, rank)
        data[at : at + size] = runs
        self._merge(previous)
        invalidate(data)
        return True

    def _find(self, index: int) -> tuple[int, int, int, int]:
        """Return where the run before a register's starts, where its own does, its first register and its span."""
        data, size = self._data, len(self._data)
        at, first = self._hint
        if first > index:
            at, first = HEADER, 0
        start = at
        before = previous = (HEADER, 0)
        while at < size:
            span = _SPANS[data[at]]
            step = 1
            if not span:
                if at + 1 >= size:
                    break
                span = ((data[at] & 0x3F) << 8 | data[at + 1]) + 1
                step = 2
            if index < first + span:
                if at == start and start > HEADER:
                    self._hint = (HEADER, 0)
                    return self._find(index)
                self._hint = before
                return previous[0], at, first, span
            before = previous = (at, first)
            at += step
            first += span
        raise CommandError(CORRUPTED)

    def _merge(self, at: int) -> None:
        """Join neighbours of one rank, within the five runs that servers look at."""
        data = self._data
        for _ in range(5):
            if at >= len(data):
                return
            byte = data[at]
            if byte < 0x80:
                at += 1 if _SPANS[byte] else 2
                continue
            if at + 1 < len(data) and data[at + 1] & 0xFC == byte & 0xFC:
                count = (byte & 3) + (data[at + 1] & 3) + 2
                if count <= _MAX_VALUE_RUN:
                    data[at : at + 2] = bytes([byte & 0xFC | count - 1])
                    continue
            at += 1

    def _promote(self, index: int, rank: int) -> bool:
        make_dense(self._data)
        return _set_dense(self._data, index, rank)
