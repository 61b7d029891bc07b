"""The loop over a log's plain commands."""

from collections.abc import Sequence

from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import Handler

class PlainCommands:
    """Executes commands outside of transactions. ``index`` is that of the last one that was begun.

    ``set_handler`` is the handler of SET, whose plainest form is carried out by the loop itself.
    """

    index: int
    def __init__(self, set_handler: Handler) -> None: ...
    def execute(
        self,
        engine: Engine,
        argvs: list[Sequence[bytes]],
        start: int,
        end: int,
        handlers: dict[bytes, tuple[Handler, int]],
    ) -> int:
        """Execute ``argvs[start:end]``; return ``end``, or the index of a command that takes a closer look.

        That is one whose name is not in ``handlers`` (name to handler and least number of arguments), or one
        with too few arguments. What a handler raises passes through: ``index`` says where.
        """
