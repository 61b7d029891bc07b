"""Module values (format A14), type 7, and other module data in the same encoding.

A module's data is a sequence of opcodes with payload, each a LEN, up to opcode 0. Only the module knows its meaning: it
is checked here and kept unparsed.
"""

from __future__ import annotations

from construct import Construct

from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import F32LE, F64LE, FieldTuple, Raw, parse_part
from rdbtool.grammar.primitives import LEN, STR, read_length
from rdbtool.grammar.reading import Reading

CODE = "RDB208"
_CHARSET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_END = 0

#: RDB_MODULE_OPCODE_*
SINT, UINT, FLOAT, DOUBLE, STRING = 1, 2, 3, 4, 5

_PAYLOADS: dict[int, tuple[str, Any]] = {
    SINT: ("sint", LEN),
    UINT: ("uint", LEN),
    FLOAT: ("float", F32LE),
    DOUBLE: ("double", F64LE),
    STRING: ("string", STR),
}


def module_name(module_id: int) -> str:
    """Return the name in a module ID: nine characters of six bits above ten bits of encoding version."""
    return "".join(_CHARSET[module_id >> shift & 0x3F] for shift in range(58, 9, -6))


class ModuleData(Construct):  # type: ignore[misc]  # construct has no type information
    """Opcodes with payload, up to opcode 0. Yields nothing: see ``Raw``."""

    def _parse(self, stream: Reading, context: Any, path: str) -> None:
        name = stream.place.path[-1][0]
        index = 0
        while True:
            at = stream.tell()
            opcode = read_length(stream)
            if opcode == _END:
                stream.mark("end", at, opcode)
                return
            if opcode not in _PAYLOADS:
                raise stream.refuse(CODE, "encoding", at, "a module opcode (0 to 5)", str(opcode))
            kind, payload = _PAYLOADS[opcode]
            stream.mark("opcode", at, kind)
            stream.begin_item(name, index)
            value = parse_part(payload, stream, context, path)
            if opcode == SINT and value >> 63:
                value -= 1 << 64  # the two's complement of a negative number, as a LEN
            stream.end_item(name, value)
            index += 1


MODULE_2 = Raw(FieldTuple("module_id" / LEN, "data" / ModuleData()))
