"""The cardinality that PFCOUNT stores: three estimators, one for each time of the servers (format D5).

They compute in doubles, in the order of the servers, since the stored number has to be the same to the last unit.
"""

from __future__ import annotations

import math

from rdbtool.core.light_typing import Final
from rdbtool.core.servers import Rules
from rdbtool.engine.algorithms.hyperloglog import REGISTERS, read_registers
from rdbtool.engine.values import StringData

#: The highest rank is one more.
RANK_BITS: Final = 50


def count(data: bytes | StringData, rules: Rules) -> int:
    """Return the estimated cardinality, as 64 bits, by the formula of a server's version. Raises CommandError."""
    return count_ranks(read_registers(data), rules)


def count_ranks(ranks: bytearray, rules: Rules) -> int:
    """Return the cardinality that registers (16384, a byte each) represent; see ``count``."""
    histogram = [ranks.count(rank) for rank in range(64)]
    if rules.family == "redis" and rules.major < 4:
        return _count_hyperloglog(histogram)
    if rules.family == "redis" and rules.major < 5:
        return _count_beta(histogram)
    return _count_ertl(histogram)


def _count_ertl(histogram: list[int]) -> int:
    """Estimate with Ertl's formula (arXiv:1702.01284), as Redis does since 5.0."""
    z = REGISTERS * _tau((REGISTERS - histogram[RANK_BITS + 1]) / REGISTERS)
    for rank in range(RANK_BITS, 0, -1):
        z = (z + histogram[rank]) * 0.5
    z += REGISTERS * _sigma(histogram[0] / REGISTERS)
    if z == 0:
        return 1 << 63
    return _round(0.721347520444481703680 * REGISTERS * REGISTERS / z)


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, math.nan
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, math.nan
    while z != before:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= math.pow(1 - x, 2) * y
    return z / 3


def _inverse_sum(histogram: list[int]) -> float:
    return math.fsum(math.ldexp(registers, -rank) for rank, registers in enumerate(histogram))


def _count_beta(histogram: list[int]) -> int:
    """Estimate with LogLog-Beta (arXiv:1612.02284), as Redis 4.0 does."""
    zeros = histogram[0]
    log = math.log(zeros + 1)
    beta = (
        -0.370393911 * zeros
        + 0.070471823 * log
        + 0.17393686 * math.pow(log, 2)
        + 0.16339839 * math.pow(log, 3)
        + -0.09237745 * math.pow(log, 4)
        + 0.03738027 * math.pow(log, 5)
        + -0.005384159 * math.pow(log, 6)
        + 0.00042419 * math.pow(log, 7)
    )
    return _round(_alpha() * REGISTERS * (REGISTERS - zeros) * (1 / (_inverse_sum(histogram) + beta)))


def _count_hyperloglog(histogram: list[int]) -> int:
    """Estimate as Redis did first: linear counting, or the raw estimate with a polynomial for its bias."""
    zeros = histogram[0]
    e = (1 / _inverse_sum(histogram)) * _alpha() * REGISTERS * REGISTERS
    if e < REGISTERS * 2.5 and zeros:
        e = REGISTERS * math.log(REGISTERS / zeros)
    elif e < 72000:
        bias = (
            5.9119 * 1.0e-18 * (e * e * e * e)
            - 1.4253 * 1.0e-12 * (e * e * e)
            + 1.2940 * 1.0e-7 * (e * e)
            - 5.2921 * 1.0e-3 * e
            + 83.3216
        )
        e -= e * (bias / 100)
    return int(e)


def _alpha() -> float:
    return 0.7213 / (1 + 1.079 / REGISTERS)


def _round(number: float) -> int:
    """Round a number >= 0 half away from zero."""
    whole = math.floor(number)
    return whole + (number - whole >= 0.5)
