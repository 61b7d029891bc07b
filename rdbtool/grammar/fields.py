"""The building blocks of the grammar: variants of construct's classes that track their position.

``Fields`` is a Struct, ``FieldTuple`` the same that yields a tuple (for what occurs by the million), ``Counted`` a LEN
and that number of items, ``Must`` a number with a condition, ``Raw`` a span that is checked but kept unparsed. Parsing
runs on a ``Reading``; building is construct's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from construct import Bytes, Construct, Container, FormatField, Struct, Subconstruct

from rdbtool.core.errors import Cause
from rdbtool.core.light_typing import Any
from rdbtool.grammar.primitives import read_length, write_length
from rdbtool.grammar.reading import Reading

# construct has no type information, so its classes are Any to a type checker: hence the ignores below.


def parse_part(construct: Any, stream: Reading, context: Any, path: str) -> Any:
    """Parse a construct that is a part of another."""
    return construct._parsereport(stream, context, path)  # noqa: SLF001 - the way down that construct gives


def build_part(construct: Any, value: Any, stream: Any, context: Any, path: str) -> Any:
    """Build a construct that is a part of another."""
    return construct._build(value, stream, context, path)  # noqa: SLF001


class Number(FormatField):  # type: ignore[misc]
    """A number of fixed width."""

    def _parse(self, stream: Reading, context: Any, path: str) -> int | float:  # noqa: ARG002 - construct's signature
        number: int | float = struct.unpack(self.fmtstr, stream.read(self.length))[0]
        return number


class Octets(Bytes):  # type: ignore[misc]
    """A fixed number of bytes."""

    def _parse(self, stream: Reading, context: Any, path: str) -> bytes:  # noqa: ARG002
        return stream.read(self.length)


U8 = Number("<", "B")
U16LE = Number("<", "H")
U32LE = Number("<", "L")
I32LE = Number("<", "l")
I64LE = Number("<", "q")
U64LE = Number("<", "Q")
F32LE = Number("<", "f")
F64LE = Number("<", "d")


class Fields(Struct):  # type: ignore[misc]
    """Consecutive named fields."""

    def __init__(self, *subcons: Any) -> None:
        super().__init__(*subcons)
        self.parts = [(subcon.name, subcon.subcon) for subcon in subcons]  # without the metadata around them

    def _parse(self, stream: Reading, context: Any, path: str) -> Container:
        parsed = Container()
        inside = Container(_=context, _params=context["_params"])
        for name, part in self.parts:
            stream.begin(name)
            value = parse_part(part, stream, inside, path)
            stream.end(value)
            parsed[name] = inside[name] = value
        return parsed


class FieldTuple(Construct):  # type: ignore[misc]
    """Consecutive named fields whose values make a tuple."""

    def __init__(self, *subcons: Any) -> None:
        super().__init__()
        self.parts = [(subcon.name, subcon.subcon) for subcon in subcons]

    def _parse(self, stream: Reading, context: Any, path: str) -> tuple[Any, ...]:
        values = []
        for name, part in self.parts:
            stream.begin(name)
            value = parse_part(part, stream, context, path)
            stream.end(value)
            values.append(value)
        return tuple(values)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        for (_, part), value in zip(self.parts, obj, strict=True):
            build_part(part, value, stream, context, path)
        return obj


class Items(Subconstruct):  # type: ignore[misc]
    """A number of items, as a list. ``count`` is a function of the context; each item has at least one byte."""

    def __init__(self, subcon: Any, count: Callable[[Any], int]) -> None:
        super().__init__(subcon)
        self.count = count

    def _parse(self, stream: Reading, context: Any, path: str) -> list[Any]:
        return self._items(self.count(context), stream, context, path)

    def _items(self, count: int, stream: Reading, context: Any, path: str) -> list[Any]:
        name = stream.place.path[-1][0]
        left = stream.left()
        if left is not None and count > left:
            end = stream.tell() + left
            raise stream.refuse("RDB101", "cut", end, f"{count} items", f"only {left} bytes after their count")
        values = []
        for index in range(count):
            stream.begin_item(name, index)
            value = parse_part(self.subcon, stream, context, path)
            stream.end_item(name, value)
            values.append(value)
        return values

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        for value in obj:
            build_part(self.subcon, value, stream, context, path)
        return obj


class Counted(Items):
    """``LEN n · n × subcon`` (format A10), a list."""

    def __init__(self, subcon: Any, *, least: int = 0, most: int | None = None, code: str = "RDB107") -> None:
        super().__init__(subcon, lambda _: 0)
        self.least = least
        self.most = most
        self.code = code

    def _parse(self, stream: Reading, context: Any, path: str) -> list[Any]:
        at = stream.tell()
        count = read_length(stream)
        stream.mark("count", at, count)
        if count < self.least or (self.most is not None and count > self.most):
            bounds = f"a count of at least {self.least}" if self.most is None else f"a count of at most {self.most}"
            raise stream.refuse(self.code, "count", at, bounds, str(count))
        return self._items(count, stream, context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        stream.write(write_length(len(obj)))
        return super()._build(obj, stream, context, path)


class Must(Subconstruct):  # type: ignore[misc]
    """A value with a condition; ``expected`` describes it."""

    def __init__(self, subcon: Any, condition: Callable[[Any], bool], code: str, cause: Cause, expected: str) -> None:
        super().__init__(subcon)
        self.condition = condition
        self.code = code
        self.cause = cause
        self.expected = expected

    def _parse(self, stream: Reading, context: Any, path: str) -> Any:
        at = stream.tell()
        value = parse_part(self.subcon, stream, context, path)
        if not self.condition(value):
            found = f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
            raise stream.refuse(self.code, self.cause, at, self.expected, found)
        return value


#: A fault of a value: the cause, what was expected and what was found.
Problem = tuple[Cause, str, str]


class Checked(Subconstruct):  # type: ignore[misc]
    """A value with consistent parts; ``check`` returns the fault, or None."""

    def __init__(self, subcon: Any, check: Callable[[Any, Reading], Problem | None], code: str) -> None:
        super().__init__(subcon)
        self.check = check
        self.code = code

    def _parse(self, stream: Reading, context: Any, path: str) -> Any:
        at = stream.tell()
        value = parse_part(self.subcon, stream, context, path)
        problem = self.check(value, stream)
        if problem:
            cause, expected, found = problem
            raise stream.refuse(self.code, cause, at, expected, found)
        return value


class Raw(Subconstruct):  # type: ignore[misc]
    """Bytes that are checked by ``subcon`` but kept unparsed, so that they are built unchanged."""

    def _parse(self, stream: Reading, context: Any, path: str) -> bytes:
        stream.capture()
        parse_part(self.subcon, stream, context, path)
        return stream.release()

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:  # noqa: ARG002
        stream.write(obj)
        return obj


class Either(Construct):  # type: ignore[misc]
    """One construct or another, by a function of the context (construct's Switch, on a Reading)."""

    def __init__(self, choose: Callable[[Any], Any]) -> None:
        super().__init__()
        self.choose = choose

    def _parse(self, stream: Reading, context: Any, path: str) -> Any:
        return parse_part(self.choose(context), stream, context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return build_part(self.choose(context), obj, stream, context, path)
