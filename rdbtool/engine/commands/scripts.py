"""EVAL and its kin, as logs of Redis 2.6 to 4.0 hold them: scripts instead of what they did.

Nothing is evaluated here. But a script that is nothing more than a row of ``redis.call`` with the
arguments spelled out (strings, integers, KEYS[n], ARGV[n]) says which commands it makes, as plainly as an AOF
does, and those are carried out. Any other script is an error: its effects are not known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rdbtool.core.functions import script_digest
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.servers import Rules
from rdbtool.engine.arguments import INT64_MAX, INT64_MIN, parse_int
from rdbtool.engine.command_errors import (
    CarriedOutScriptError,
    CommandError,
    ScriptError,
    UnknownCommandError,
    UnknownOrderError,
)
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import OK, Later, Reply

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

#: One statement: a call whose result is not used, or the return that ends the script.
_CALL: Final = re.compile(rb"\s*(return\s+)?redis\.call\s*\((?P<arguments>[^()]*)\)\s*")
_RETURN: Final = re.compile(rb"\s*return(?:\s+(-?\d+|nil|true|false|'[^'\\\n]*'|\"[^\"\\\n]*\"))?\s*")

_ARGUMENT: Final = re.compile(
    rb"\s*(?:'(?P<single>[^'\\\n]*)'|\"(?P<double>[^\"\\\n]*)\"|(?P<number>\d{1,15})|(?P<list>KEYS|ARGV)\[(?P<at>\d{1,6})\])\s*"
)

#: What a script answers that returns one of these words.
_WORDS: Final[dict[bytes, int | None]] = {b"nil": None, b"true": 1, b"false": None}

#: What servers refuse to a script. Scripts that start scripts would have no end.
_NOT_IN_SCRIPTS: Final = frozenset({b"EVAL", b"EVALSHA", b"FCALL", b"SCRIPT", b"FUNCTION", b"MULTI", b"EXEC"})


@command("EVAL")
def eval_(engine: Engine, argv: Sequence[bytes]) -> Later:
    """EVAL script numkeys [key ...] [arg ...]."""
    engine.scripts[script_digest(argv[1])] = argv[1]
    return _carry_out(engine, argv[1], argv)


@command("EVALSHA")
def evalsha(engine: Engine, argv: Sequence[bytes]) -> Later:
    """EVALSHA sha1 numkeys [key ...] [arg ...], of a script that occurred in the AOF before."""
    script = engine.scripts.get(argv[1].lower())
    if script is None:
        raise ScriptError("NOSCRIPT No matching script")
    return _carry_out(engine, script, argv)


@command("SCRIPT LOAD")
def script_load(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SCRIPT LOAD script."""
    engine.keep_script(argv[2])
    return script_digest(argv[2])


@command("SCRIPT FLUSH")
def script_flush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SCRIPT FLUSH [ASYNC|SYNC]."""
    if len(argv) > 3 or (len(argv) == 3 and argv[2].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    engine.scripts.clear()
    engine.kept_scripts.clear()
    return OK


def read_calls(script: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]) -> list[list[bytes]] | None:
    """Return the commands that a script consists of, None where it holds anything else."""
    calls: list[list[bytes]] = []
    ended = False
    for statement in re.split(rb"[;\n]", script):
        if not statement.strip():
            continue
        call = _CALL.fullmatch(statement)
        if ended or (call is None and _RETURN.fullmatch(statement) is None):
            return None
        ended = call is None or call[1] is not None
        if call is not None:
            argv = [_argument(part, keys, arguments) for part in call["arguments"].split(b",")]
            if None in argv:
                return None
            calls.append([part for part in argv if part is not None])
    return calls


def calls_of(engine: Engine, argv: Sequence[bytes]) -> list[list[bytes]]:
    """Return the commands that an EVAL or EVALSHA makes; none where they are not known."""
    script: bytes | None = argv[1] if len(argv) > 1 else None
    if script is not None and argv[0].upper() == b"EVALSHA":
        script = engine.scripts.get(script.lower())
    if script is None or len(argv) < 3 or not argv[2].isdigit():
        return []
    count = int(argv[2][:9])
    return read_calls(script, argv[3 : 3 + count], argv[3 + count :]) or []


def _argument(text: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]) -> bytes | None:
    match = _ARGUMENT.fullmatch(text)
    if match is None:
        return None
    if match["list"] is None:
        return next(match[name] for name in ("single", "double", "number") if match[name] is not None)
    values = keys if match["list"] == b"KEYS" else arguments
    index = int(match["at"])
    return values[index - 1] if 1 <= index <= len(values) else None


def _show_result(script: bytes, reply: Reply) -> Reply:
    """Return what a plain script answers whose last call was answered with ``reply``."""
    statement = [part for part in re.split(rb"[;\n]", script) if part.strip()][-1:] or [b""]
    call = _CALL.fullmatch(statement[0])
    if call is not None:
        return None if call[1] is None else _through_lua(reply)
    constant = _RETURN.fullmatch(statement[0])
    text = b"nil" if constant is None or constant[1] is None else constant[1]
    if text[:1] in (b"'", b'"'):
        return text[1:-1]
    if text in _WORDS:
        return _WORDS[text]
    return _through_lua(int(text))


def _through_lua(reply: Reply) -> Reply:
    """Return a reply as it comes out of a script: its integers were doubles."""
    if isinstance(reply, int):
        number = int(float(reply))
        return number if number <= INT64_MAX else INT64_MIN
    return [_through_lua(part) for part in reply] if isinstance(reply, list) else reply


def _carry_out(engine: Engine, script: bytes, argv: Sequence[bytes]) -> Later:
    """Execute the commands of a plain script. One that fails ends the script, and what was done before stays."""
    count = parse_int(argv[2])
    if count < 0 or count > len(argv) - 3:
        raise CommandError("ERR Number of keys can't be greater than number of args")
    calls = read_calls(script, argv[3 : 3 + count], argv[3 + count :])
    if calls is None:
        raise ScriptError("the script does more than call commands, and rdbtool does not run scripts")
    if any(call[0].upper() in _NOT_IN_SCRIPTS for call in calls):
        raise ScriptError("ERR This Redis command is not allowed from scripts")
    index = engine.index
    unordered = ""
    reply: Reply | Later = None
    try:
        for call in calls:
            try:
                reply = engine.execute_within(call)
            except UnknownOrderError as error:
                unordered = str(error)
            except UnknownCommandError:
                raise CommandError("ERR Unknown Redis command called from script") from None
    finally:
        # Since 2.8 a SELECT holds on for the script alone.
        if engine.rules.family == "valkey" or (engine.rules.major, engine.rules.minor) >= (2, 8):
            engine.select(index)
    if unordered:
        raise UnknownOrderError(unordered)
    if not _are_logged(engine.rules):
        raise CarriedOutScriptError("the script only calls commands, which were executed")
    return lambda: _show_result(script, reply() if callable(reply) else reply)


def _are_logged(rules: Rules) -> bool:
    """Return whether servers write scripts into an AOF instead of what they did: Redis up to 6.2 may (format D)."""
    return rules.family == "redis" and rules.major < 7
