"""Commands whose effect differs between servers, if the server that wrote the AOF was not named.

Such a command is executed once more, on copies of its keys and as each of the servers that do otherwise and may have
written the AOF. Where that has another result, the effect is unknown. A server that refuses the command did not write
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

from rdbtool.core.servers import Rules
from rdbtool.engine.command_errors import CommandError, DifferingEffectError, UnknownEffectError
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import Handler
from rdbtool.engine.keyspec import keys_of
from rdbtool.engine.replies import Later, Reply
from rdbtool.model import KeyRecord

Words = Sequence[bytes]


def differs_as(*servers: str, when: Callable[[Engine, Words], bool] | None = None) -> Callable[[Handler], Handler]:
    """Have a command executed as other servers, too, where that can matter, as ``when`` says; None: always."""
    others = [Rules.parse(name) for name in servers]

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        def execute(engine: Engine, argv: Words) -> Reply | Later:
            possible = [rules for rules in others if engine.may_be(rules)]
            if not possible or not (when is None or when(engine, argv)):
                return handler(engine, argv)
            keys = keys_of(argv)
            copies = [_copy(engine, keys, rules) for rules in possible]
            reply = handler(engine, argv)
            result = _records(engine, keys)
            for copy in copies:
                if not _agrees(copy, handler, argv, result):
                    raise DifferingEffectError(
                        f"executed as {engine.rules}, which was inferred; {copy.rules} gives a different result"
                    )
            return reply

        return execute

    return wrap


def _agrees(copy: Engine, handler: Handler, argv: Words, result: list[KeyRecord]) -> bool:
    try:
        handler(copy, argv)
    except UnknownEffectError:
        return False
    except CommandError:
        return True
    return _records(copy, keys_of(argv)) == result


def _copy(engine: Engine, keys: Sequence[bytes], rules: Rules) -> Engine:
    copy = Engine(rules=rules, now_ms=engine.now_ms, databases=engine.databases)
    copy.select(engine.index)
    for record in _records(engine, keys):
        copy.put(record)
    return copy


def _records(engine: Engine, keys: Sequence[bytes]) -> list[KeyRecord]:
    return [record for key in dict.fromkeys(keys) if (record := engine.record(key)) is not None]
