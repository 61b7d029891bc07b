"""Functions, scripts, slots, and the commands that leave the data alone.

Scripts are never executed. A function library is kept as its source; what its code would register is not known
here, so a function that two libraries register is not noticed.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool._codec.filters.selection import slot_of
from rdbtool.core.commands import COMMANDS
from rdbtool.core.functions import registers_nothing
from rdbtool.core.light_typing import Final
from rdbtool.engine.arguments import is_int, parse_int
from rdbtool.engine.command_errors import (
    SYNTAX,
    ArityError,
    CommandError,
    ScriptError,
    UnknownEffectError,
    describe_subcommand,
)
from rdbtool.engine.dumps import read_functions, record_payload
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.libraries import parse_shebang
from rdbtool.engine.replies import OK, Reply

_SLOTS: Final = 16384


def _text(word: bytes) -> str:
    return word.decode("utf-8", "backslashreplace")


def _loadable(code: bytes) -> bytes:
    """Return the name of a library that a server has the engine for. Raises CommandError."""
    engine, name = parse_shebang(code)
    if engine.lower() != b"lua":
        raise CommandError(f"ERR Engine '{_text(engine)}' not found")
    if registers_nothing(code):
        raise CommandError("ERR No functions registered")
    return name


@command("FUNCTION LOAD")
def function_load(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Load a library: FUNCTION LOAD [REPLACE] code."""
    for word in argv[2:-1]:
        if word.upper() != b"REPLACE":
            raise CommandError(f"ERR Unknown option given: {_text(word)}")
    name = _loadable(argv[-1])
    if name in engine.functions and len(argv) == 3:
        raise CommandError(f"ERR Library '{_text(name)}' already exists")
    engine.functions[name] = argv[-1]
    return name


@command("FUNCTION DELETE")
def function_delete(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Delete a library: FUNCTION DELETE library."""
    if engine.functions.pop(argv[2], None) is None:
        raise CommandError("ERR Library not found")
    return OK


@command("FUNCTION FLUSH")
def function_flush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Delete all libraries: FUNCTION FLUSH [ASYNC | SYNC]."""
    if len(argv) > 3:
        raise CommandError(describe_subcommand(argv))
    if len(argv) == 3 and argv[2].upper() not in (b"ASYNC", b"SYNC"):
        raise CommandError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    engine.functions.clear()
    return OK


@command("FUNCTION RESTORE")
def function_restore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Load all libraries of a dump, or none: FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]."""
    policy = argv[3].upper() if len(argv) == 4 else b"APPEND"
    if len(argv) > 4:
        raise CommandError(describe_subcommand(argv))
    if policy not in (b"FLUSH", b"APPEND", b"REPLACE"):
        raise CommandError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    restored: dict[bytes, bytes] = {}
    record_payload(engine.needs, argv[2])
    for code in read_functions(argv[2], engine.rules):
        name = _loadable(code)
        if name in restored or (policy == b"APPEND" and name in engine.functions):
            raise CommandError(f"ERR Library {_text(name)} already exists")
        restored[name] = code
    if policy == b"FLUSH":
        engine.functions.clear()
    engine.functions.update(restored)
    return OK


@command("CLUSTER FLUSHSLOT")
def cluster_flushslot(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """CLUSTER FLUSHSLOT slot [ASYNC | SYNC]: the keys of a slot go, in all databases."""
    if len(argv) > 4 or (len(argv) == 4 and argv[3].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SYNTAX)
    _flush_slots(engine, {_slot(argv[2])})
    return OK


@command("SFLUSH")
def sflush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SFLUSH first last [first last ...] [ASYNC | SYNC]: the keys of these slots go."""
    numbers = argv[1:-1] if argv[-1].upper() in (b"ASYNC", b"SYNC") else argv[1:]
    if len(numbers) % 2 or not numbers:
        raise ArityError("ERR wrong number of arguments for 'sflush' command")
    _flush_slots(engine, _read_slots(numbers))
    return [[int(first), int(last)] for first, last in zip(numbers[::2], numbers[1::2], strict=True)]


@command("TRIMSLOTS")
def trimslots(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """TRIMSLOTS RANGES numranges first last [first last ...]: the keys of these slots go, after a migration."""
    numbers = argv[3:]
    if argv[1].upper() != b"RANGES":
        raise CommandError("ERR missing ranges argument")
    count = parse_int(argv[2])
    if not 1 <= count <= _SLOTS or len(numbers) != 2 * count:
        raise CommandError("ERR invalid number of ranges")
    _flush_slots(engine, _read_slots(numbers))
    return OK


def _read_slots(numbers: Sequence[bytes]) -> set[int]:
    """Return the slots of ranges, each by its first and last slot. Raises CommandError."""
    slots: set[int] = set()
    for first, last in zip(map(_slot, numbers[::2]), map(_slot, numbers[1::2]), strict=True):
        if first > last:
            raise CommandError(f"ERR start slot number {first} is greater than end slot number {last}")
        twice = next((slot for slot in range(first, last + 1) if slot in slots), None)
        if twice is not None:
            raise CommandError(f"ERR Slot {twice} specified multiple times")
        slots.update(range(first, last + 1))
    return slots


def _slot(text: bytes) -> int:
    if not is_int(text) or not 0 <= int(text) < _SLOTS:
        raise CommandError("ERR Invalid or out of range slot")
    return int(text)


def _flush_slots(engine: Engine, slots: set[int]) -> None:
    for db in engine.dbs.values():
        for key in [key for key in db.keys if slot_of(key) in slots]:
            db.delete(key)


@command("FCALL")
def run_script(_engine: Engine, argv: Sequence[bytes]) -> Reply:
    """FCALL: not executed."""
    raise ScriptError(f"ERR {_text(argv[0]).upper()} is a script, and scripts are not executed")


@command("MIGRATE")
def migrate(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    """MIGRATE: whether the keys are gone depends on another server; servers log the DEL instead."""
    raise UnknownEffectError("MIGRATE moves keys to another server, if that one takes them")


def leave_alone(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    """Do nothing: the command reads, or concerns the connection, the cluster or the running server only."""
    return None


for _row in COMMANDS.values():
    if "inert" in _row.flags:
        command(_row.name)(leave_alone)
