"""Commands that write and are not executed here: vector sets, arrays, and what came with the newest releases.

Their names, arities and keys are known, so that they are no damage; what they do to a dataset is not. A vector set is a
graph whose layers are drawn by chance, so that its record is another one at each load.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.engine.command_errors import UnknownEffectError, WrongTypeError
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import Reply
from rdbtool.model import OpaqueValue

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

_NOT_EXECUTED: Final = "this command is not executed here"


@command("VADD")
def vadd(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """VADD key [REDUCE dim] FP32 | VALUES num vector element [options]."""
    _find_vectors(engine, argv[1])
    raise UnknownEffectError("rdbtool does not build vector sets")


@command("VREM")
@command("VSETATTR")
def change_vectors(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """VREM key element, VSETATTR key element attributes: nothing without the key."""
    if _find_vectors(engine, argv[1]) is not None:
        raise UnknownEffectError("rdbtool does not change vector sets")
    return 0


def _find_vectors(engine: Engine, key: bytes) -> OpaqueValue | None:
    """Return the vector set of a key, None if there is none. Raises WrongTypeError."""
    value = engine.db.keys.get(key)
    if value is not None and not isinstance(value, OpaqueValue):
        raise WrongTypeError
    return value


def _leave_out(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    raise UnknownEffectError(_NOT_EXECUTED)


for _name in (
    "ARDEL", "ARDELRANGE", "ARINSERT", "ARMSET", "ARRING", "ARSEEK", "ARSET", "BLMOVEM", "GCRASETVALUE", "HIMPORT SET",
    "INCREX", "LMOVEM",
):  # fmt: skip
    command(_name)(_leave_out)
