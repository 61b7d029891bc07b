"""Quicklist (format A11.5): a list in nodes, each a packed blob.

Type 14 (since RDB 7) has ziplists; in type 18 (since RDB 10) each node is marked as a listpack or as a single large
element. A node may hold no entries, but its STR is never empty.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import Counted, Either, Fields, Must
from rdbtool.grammar.listpack import listpack
from rdbtool.grammar.primitives import LEN, STR, text
from rdbtool.grammar.ziplist import ziplist

CODE = "RDB205"

#: QUICKLIST_NODE_CONTAINER_*
PLAIN, PACKED = 1, 2

_PLAIN = Must(STR, lambda stored: text(stored) != b"", CODE, "empty", "an element of at least one byte")
_PACKED = listpack(empty_code=CODE)


def _node(this: Any) -> Any:
    return _PLAIN if this.container == PLAIN else _PACKED


LIST_QUICKLIST = Fields("node" / Counted(ziplist(empty_code=CODE)))

LIST_QUICKLIST_2 = Fields(
    "node"
    / Counted(
        Fields(
            "container"
            / Must(LEN, lambda kind: kind in (PLAIN, PACKED), CODE, "encoding", "container 1 (plain) or 2 (packed)"),
            "data" / Either(_node),  # plain: STR; packed: STR(listpack)
        )
    )
)
