"""What stands in for ``typing`` makes the same named tuples, and modules do take them from there."""

from __future__ import annotations

import ast
import copy
import pickle
import typing
from pathlib import Path

import pytest

import rdbtool
from rdbtool.core import light_typing

ROOT = Path(rdbtool.__file__).parent


def classes(base):
    class Point(base):
        """A point."""

        x: int
        y: int = 2
        name: str = "p"

        @property
        def sum(self):
            return self.x + self.y

    class Deep(Point):
        def double(self):
            return self._replace(x=2 * self.x)

    class Empty(base):
        pass

    return Point, Deep, Empty


#: The same classes of both.
OWN = classes(light_typing.NamedTuple)
TYPINGS = classes(typing.NamedTuple)


class Kept(light_typing.NamedTuple):
    a: int
    b: tuple[int, ...] = ()


def outcome(call):
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return type(error), str(error)
    return type(result).__name__, repr(result)


@pytest.mark.parametrize(
    "call",
    [
        lambda point, deep, empty: point(1),
        lambda point, deep, empty: point(1, name="q"),
        lambda point, deep, empty: point(y=1, x=5).sum,
        lambda point, deep, empty: point(),
        lambda point, deep, empty: point(1, 2, "a", 4),
        lambda point, deep, empty: point(1, z=3),
        lambda point, deep, empty: point(1)._replace(y=7),
        lambda point, deep, empty: point(1)._replace(z=7),
        lambda point, deep, empty: point(1)._asdict(),
        lambda point, deep, empty: point._make([1, 2, "c"]),
        lambda point, deep, empty: point._make([]),
        lambda point, deep, empty: (point._fields, point._field_defaults, point.__match_args__, point.__doc__),
        lambda point, deep, empty: (point.__mro__[1:][-2:], point.__slots__, point.__name__, deep.__qualname__),
        lambda point, deep, empty: point(1) == (1, 2, "p"),
        lambda point, deep, empty: {point(1): 1}[1, 2, "p"],
        lambda point, deep, empty: deep(4).double(),
        lambda point, deep, empty: deep(4, 5).sum,
        lambda point, deep, empty: empty(),
        lambda point, deep, empty: empty(1),
        lambda point, deep, empty: setattr(point(1), "x", 2),
        lambda point, deep, empty: setattr(point(1), "other", 2),
        lambda point, deep, empty: copy.copy(point(1)),
        lambda point, deep, empty: point(1)[1:],
    ],
)
def test_it_is_the_named_tuple_of_typing(call):
    own, reference = outcome(lambda: call(*OWN)), outcome(lambda: call(*TYPINGS))
    assert own == reference


def test_defaults_come_last():
    with pytest.raises(TypeError):

        class _Wrong(light_typing.NamedTuple):
            a: int = 1
            b: int


def test_it_is_matched_and_pickled():
    match Kept(1, (2,)):
        case Kept(a, (b,)):
            assert (a, b) == (1, 2)
    loaded = pickle.loads(pickle.dumps(Kept(3)))
    assert (type(loaded), loaded.b) == (Kept, ())


def test_what_it_lacks_is_taken_from_typing():
    assert light_typing.Generic is typing.Generic
    with pytest.raises(AttributeError):
        _ = light_typing.no_such_name


def test_modules_take_it_instead_of_typing():
    allowed = {"core/light_typing.py", "cli/typer_commands.py"}
    found = set()
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if "typing" in names and not name.startswith("api/"):
                found.add(name)
    assert found == allowed
