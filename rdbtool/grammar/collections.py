"""The plain collections (format A10): types 0 to 5, elements as consecutive STRs.

And the packed forms that consist of one blob: types 10, 12, 13, 16, 17 and 20.
"""

from __future__ import annotations

from rdbtool.grammar.fields import F64LE, Counted, Fields, FieldTuple
from rdbtool.grammar.listpack import listpack, scored_listpack
from rdbtool.grammar.primitives import STR, TEXT_DOUBLE
from rdbtool.grammar.ziplist import ziplist

STRING = STR
LIST = Fields("element" / Counted(STR))
SET = Fields("member" / Counted(STR))
ZSET = Fields("pair" / Counted(FieldTuple("member" / STR, "score" / TEXT_DOUBLE)))
HASH = Fields("pair" / Counted(FieldTuple("field" / STR, "value" / STR)))
ZSET_2 = Fields("pair" / Counted(FieldTuple("member" / STR, "score" / F64LE)))  # since RDB 8

LIST_ZIPLIST = ziplist()
ZSET_ZIPLIST = ziplist(group=2, scores=True)  # member, score text, …
HASH_ZIPLIST = ziplist(group=2)  # field, value, …

HASH_LISTPACK = listpack(group=2)
ZSET_LISTPACK = scored_listpack()
SET_LISTPACK = listpack()
