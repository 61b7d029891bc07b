"""SORT: its STORE form is the only one that changes anything.

Elements compare by a double or by bytes, of their own or of what a pattern finds elsewhere. Where elements
of a sorted set, or of a set that is neither an intset nor (since 7.2) a listpack, compare as equal, their order is that
of the server's hash table, which no AOF contains and which differs from one load to the next: one order is used, and
said to be one of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.engine.algorithms.partialsort import sort_all, sort_part
from rdbtool.engine.arguments import parse_int, read_double
from rdbtool.engine.command_errors import SYNTAX, CommandError, UnknownOrderError, WrongTypeError
from rdbtool.engine.commands.hashes import is_hidden
from rdbtool.engine.commands.sets import list_members
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import Later, Reply
from rdbtool.engine.values import KEPT, SORTED, HashData, ListData, SetData, StringData, ZSetData

NOT_NUMBERS: Final = "ERR One or more scores can't be converted into double"
NO_ORDER: Final = "equal elements are in hash table order"

#: Doubles closer to zero lose precision, which strtod reports as an error of range.
_SMALLEST_NORMAL: Final = 2.2250738585072014e-308

_SortKey = tuple[float, bytes]


class _Options(NamedTuple):
    target: bytes | None
    by: bytes | None
    get: list[bytes]
    alpha: bool
    reverse: bool
    offset: int
    limit: int

    @classmethod
    def parse(cls, words: Sequence[bytes]) -> _Options:
        target = by = None
        get: list[bytes] = []
        alpha = reverse = False
        offset, limit = 0, -1
        at = 0
        while at < len(words):
            word, rest = words[at].upper(), words[at + 1 :]
            if word in (b"ASC", b"DESC"):
                reverse = word == b"DESC"
            elif word == b"ALPHA":
                alpha = True
            elif word == b"LIMIT" and len(rest) > 1:
                offset, limit = parse_int(rest[0]), parse_int(rest[1])
                at += 2
            elif word in (b"STORE", b"BY", b"GET") and rest:
                if word == b"GET":
                    get.append(rest[0])
                elif word == b"BY":
                    by = rest[0]
                else:
                    target = rest[0]
                at += 1
            else:
                raise CommandError(SYNTAX)
            at += 1
        return cls(target, by, get, alpha, reverse, offset, limit)

    def limits(self, length: int) -> tuple[int, int]:
        """Return the first and the last index to return; the last is below the first if absent."""
        first = min(max(self.offset, 0), length)
        if first >= length:
            return length, length - 1
        return first, length - 1 if self.limit < 0 else min(first + self.limit, length) - 1


@command("SORT")
def sort(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE destination]."""
    options = _Options.parse(argv[2:])
    value = engine.db.keys.get(argv[1])
    if value is not None and not isinstance(value, (ListData, SetData, ZSetData)):
        raise WrongTypeError
    chosen, is_ordered = _choose(engine, ListData() if value is None else value, options)
    patterns = options.get or [b"#"]
    if options.target is None:
        return lambda: [_get(engine, pattern, element) for element in chosen for pattern in patterns]
    result = ListData(_get(engine, pattern, element) or b"" for element in chosen for pattern in patterns)
    if result:
        engine.db.replace(options.target, result)
    else:
        engine.db.delete(options.target)
    if not is_ordered:
        raise UnknownOrderError(NO_ORDER)
    return len(result)


def _choose(engine: Engine, value: ListData | SetData | ZSetData, options: _Options) -> tuple[list[bytes], bool]:
    """Return the elements in order, within the limits, and whether every load gives this order."""
    if options.by is not None and b"*" not in _text(options.by):
        if options.target is None and isinstance(value, SetData):
            first, last = options.limits(len(value))
            return _list(value)[first : last + 1], _has_order(engine, value)
        if not isinstance(value, SetData):
            ordered = [member for _, member in value.order] if isinstance(value, ZSetData) else list(value)
            if options.reverse:
                ordered.reverse()
            first, last = options.limits(len(ordered))
            return ordered[first : last + 1], True
        # A set has no order of its own: bytes it is, so that all servers get the same.
        options = options._replace(alpha=True, by=None)
    keys = _keys(engine, value, options)
    first, last = options.limits(len(value))
    elements = _list(value)
    is_ordered = _has_order(engine, value) or _is_ordered(list(keys.values()), first, last, reverse=options.reverse)
    if options.by is not None and (first, last) != (0, len(elements) - 1):
        return sort_part(elements, keys.__getitem__, first, last, reverse=options.reverse), is_ordered
    return sort_all(elements, keys.__getitem__, reverse=options.reverse)[first : last + 1], is_ordered


def _list(value: ListData | SetData | ZSetData) -> list[bytes]:
    """Return the elements in the order in which a server meets them, as far as it is known."""
    return list_members(value) if isinstance(value, SetData) else list(value)


def _has_order(engine: Engine, value: ListData | SetData | ZSetData) -> bool:
    """Return whether a server meets the elements in the same order at each load. Those of a sorted set it hashes."""
    if not isinstance(value, SetData):
        return isinstance(value, ListData)
    # Before 7.2 a set that is no intset is a hash table.
    is_kept = value.layout == KEPT and engine.rules.has((7, 2)) and not engine.are_rules_guessed
    return value.layout == SORTED or is_kept


def _is_ordered(keys: Sequence[_SortKey], first: int, last: int, *, reverse: bool) -> bool:
    """Return whether no equal elements decide what is in the part, or in which order."""
    near = sorted(keys, reverse=reverse)[max(first - 1, 0) : last + 2]
    return first > last or all(one != other for one, other in pairwise(near))


def _keys(engine: Engine, value: ListData | SetData | ZSetData, options: _Options) -> dict[bytes, _SortKey]:
    """Return what each element compares by. Raises CommandError."""
    keys: dict[bytes, _SortKey] = {}
    for element in value:
        weight = element if options.by is None else _get(engine, options.by, element)
        if not options.alpha:
            # Equal numbers compare by the elements themselves.
            keys[element] = (0.0 if weight is None else _double(engine, weight), element)
        else:
            # What is missing comes first. Texts that are not stored compare as C sees them (in the C locale).
            text = weight or b""
            keys[element] = (float(weight is not None), _text(text) if options.target is None else text)
    return keys


def _double(engine: Engine, text: bytes) -> float:
    rules = engine.rules
    number = read_double(text, rules)
    if number is None or (not _text(text) and rules.has(None, (9, 1))):
        raise CommandError(NOT_NUMBERS)
    if rules.has((8, 0), None):
        # What is out of range becomes 0 or infinite.
        return number
    is_tiny = abs(number) < (5e-324 if rules.has(None, (9, 1)) else _SMALLEST_NORMAL)
    underflows = is_tiny and any(digit in b"123456789" for digit in text.lower().split(b"e")[0])
    if underflows or (abs(number) == float("inf") and b"inf" not in text.lower()):
        raise CommandError(NOT_NUMBERS)
    return number


def _text(pattern: bytes) -> bytes:
    """Return what C sees of a pattern: it ends at a NUL."""
    return pattern.split(b"\0", 1)[0]


def _get(engine: Engine, pattern: bytes, element: bytes) -> bytes | None:
    """Return what a pattern stands for: ``#`` the element, else the string or hash field with ``*`` replaced."""
    if _text(pattern) == b"#":
        return element
    star = _text(pattern).find(b"*")
    if star < 0:
        return None
    prefix, rest = pattern[:star], pattern[star + 1 :]
    arrow = _text(rest).find(b"->")
    if arrow < 0 or len(_text(rest)) == arrow + 2:
        found = engine.db.keys.get(prefix + element + rest)
        return bytes(found) if isinstance(found, bytes | StringData) else None
    data = engine.db.keys.get(prefix + element + rest[:arrow])
    field = rest[arrow + 2 :]
    if not isinstance(data, HashData) or is_hidden(engine, data, field):
        return None
    return data.get(field)
