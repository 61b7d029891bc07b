"""The opcodes (format A6): what follows the byte of each.

Names and numbers come from the table in ``rdbtool.core.rdb_types``; 243 means different things under REDIS and VALKEY.
KEY_META, HASH_TEMPLATE (242) and FUNCTION_PRE_GA are known from secondary sources.
"""

from __future__ import annotations

from construct import If

from rdbtool.core.light_typing import Any, Final
from rdbtool.core.rdb_types import CHECKSUM_SINCE
from rdbtool.grammar.fields import I32LE, I64LE, U8, U64LE, Counted, Fields, FieldTuple, Must, Octets, Raw
from rdbtool.grammar.module import CODE as MODULE_CODE
from rdbtool.grammar.module import UINT, ModuleData
from rdbtool.grammar.primitives import LEN, STR
from rdbtool.grammar.templates import HASH_TEMPLATE

CODE = "RDB107"
_MAX_DB = (1 << 31) - 1
_MAX_META_CLASSES = 7
_SLOTS = 16384

SELECTDB = Fields("db" / Must(LEN, lambda db: db <= _MAX_DB, CODE, "range", f"a database number up to {_MAX_DB}"))
RESIZEDB = Fields("keys" / LEN, "expires" / LEN)  # since RDB 7
AUX = Fields("key" / STR, "value" / STR)  # since RDB 7

EXPIRETIME = Fields("seconds" / I32LE)
EXPIRETIME_MS = Fields("ms" / I64LE)  # since RDB 3; -1: none
IDLE = Fields(  # since RDB 9
    "seconds" / Must(LEN, lambda idle: idle < 1 << 63, CODE, "range", "an idle time below 2^63 seconds")
)
FREQ = Fields("counter" / U8)  # since RDB 9

MODULE_AUX = Fields(  # since RDB 9
    "raw"
    / Raw(
        FieldTuple(
            "module_id" / LEN,
            "when_opcode" / Must(LEN, lambda opcode: opcode == UINT, MODULE_CODE, "encoding", f"opcode {UINT} (uint)"),
            "when" / LEN,  # 1: before the keys, 2: after
            "data" / ModuleData(),
        )
    )
)

FUNCTION2 = Fields("code" / STR)  # since RDB 10
FUNCTION_PRE_GA = Fields(  # Redis 7.0 release candidates, secondary
    "name" / STR,
    "engine" / STR,
    "has_description" / Must(LEN, lambda flag: flag in (0, 1), CODE, "encoding", "0 or 1"),
    "description" / If(lambda this: this.has_description, STR),
    "code" / STR,
)

SLOT_INFO = Fields("slot" / LEN, "keys" / LEN, "expires" / LEN)  # since RDB 12

KEY_META = Fields(  # since RDB 13, secondary
    "raw"
    / Raw(
        FieldTuple(
            "class"
            / Counted(
                FieldTuple(
                    "spec" / Octets(4),  # name, version, flags
                    "data" / ModuleData(),
                ),
                most=_MAX_META_CLASSES,
            )
        )
    )
)

RAM_LRU = Fields("mark" / LEN)  # Redis Enterprise, secondary: librdb's __elementRamLru
SLOT_NUM = Fields("slot" / LEN)  # Redis Enterprise, secondary: librdb's __elementSlotNum

SLOT_IMPORT = Fields(  # Valkey 9
    "job" / STR,
    "range"
    / Counted(
        Must(
            FieldTuple("start" / LEN, "end" / LEN),
            lambda slots: slots[0] <= slots[1] < _SLOTS,
            CODE,
            "range",
            f"a slot range within 0 to {_SLOTS - 1}",
        )
    ),
)

EOF = Fields("crc64" / If(lambda this: this["_params"].version >= CHECKSUM_SINCE, U64LE))  # 0: not computed

#: What follows the opcode byte, by the name in the table.
OPCODE_PAYLOADS: Final[dict[str, Any]] = {
    "RAM_LRU": RAM_LRU,
    "SLOT_NUM": SLOT_NUM,
    "HASH_TEMPLATE": HASH_TEMPLATE,
    "KEY_META": KEY_META,
    "SLOT_IMPORT": SLOT_IMPORT,
    "SLOT_INFO": SLOT_INFO,
    "FUNCTION2": FUNCTION2,
    "FUNCTION_PRE_GA": FUNCTION_PRE_GA,
    "MODULE_AUX": MODULE_AUX,
    "IDLE": IDLE,
    "FREQ": FREQ,
    "AUX": AUX,
    "RESIZEDB": RESIZEDB,
    "EXPIRETIME_MS": EXPIRETIME_MS,
    "EXPIRETIME": EXPIRETIME,
    "SELECTDB": SELECTDB,
    "EOF": EOF,
}
