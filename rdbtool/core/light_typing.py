"""What modules take from ``typing``, without its import.

``typing`` and the ``re`` that it imports take as long as reading a small file does, and a module that postpones its
annotations uses hardly anything of them at run time. So modules import these names from here: for type checkers they
are those of ``typing``; at run time ``NamedTuple`` is a shorter way to the same classes, and the rest are placeholders.
A name that has none is imported from ``typing`` when it is asked for.

``rdbtool.api`` imports ``typing`` itself, so that tools may evaluate the annotations of its functions.
"""

from __future__ import annotations

import sys

# What collections.namedtuple makes its fields of.
from _collections import _tuplegetter  # type: ignore[import-not-found]

__all__ = (
    "IO",
    "TYPE_CHECKING",
    "Annotated",
    "Any",
    "AnyStr",
    "BinaryIO",
    "ClassVar",
    "Final",
    "Literal",
    "NamedTuple",
    "NoReturn",
    "Protocol",
    "Self",
    "TypeAlias",
    "TypeGuard",
    "TypeVar",
    "TypedDict",
    "Unpack",
    "cast",
    "dataclass_transform",
    "get_args",
    "get_origin",
    "overload",
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import (
        IO,
        Annotated,
        Any,
        AnyStr,
        BinaryIO,
        ClassVar,
        Final,
        Literal,
        NamedTuple,
        NoReturn,
        Protocol,
        Self,
        TypeAlias,
        TypedDict,
        TypeGuard,
        TypeVar,
        Unpack,
        cast,
        dataclass_transform,
        get_args,
        get_origin,
        overload,
    )
else:

    def __getattr__(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        import typing  # noqa: PLC0415 - what this module is there to avoid

        return getattr(typing, name)

    class _Placeholder:
        """For an alias such as ``str | BinaryIO``, or what is written ``Literal["a", "b"]``."""

        __slots__ = ("__args__",)

        def __getitem__(self, given: object) -> _Placeholder:
            made = _Placeholder()
            made.__args__ = given if isinstance(given, tuple) else (given,)
            return made

        def __or__(self, _other: object) -> _Placeholder:
            return self

        __ror__ = __or__

    IO = Any = AnyStr = BinaryIO = ClassVar = Final = Literal = NoReturn = Self = TypeAlias = TypeGuard = Unpack = (
        _Placeholder()
    )

    class Protocol:
        """A base class without a meaning."""

        def __class_getitem__(cls, _given: object) -> type[Protocol]:
            return cls

    class TypedDict(dict):
        """The base class of a dict whose keys are declared."""

        def __init_subclass__(cls, *, total: bool = True) -> None:
            pass

    class Annotated:
        """``Annotated[type, declaration]``, with the attributes that typing's has."""

        __slots__ = ("__metadata__", "__origin__")

        def __init__(self, origin: object, *metadata: object) -> None:
            self.__origin__ = origin
            self.__metadata__ = metadata

        def __class_getitem__(cls, given: tuple[object, ...]) -> Annotated:
            return cls(*given)

    def TypeVar(_name: str, **_bounds: object) -> _Placeholder:  # noqa: N802 - as in typing
        """Stand for a type in annotations."""
        return Any

    def cast(_kind: object, value: object) -> object:
        """Return ``value``."""
        return value

    def get_args(kind: object) -> tuple[object, ...]:
        """Return what is in the brackets of a type."""
        return getattr(kind, "__args__", ())

    def get_origin(kind: object) -> object:
        """Return the type before the brackets, None without any."""
        return type(kind) if isinstance(kind, Annotated) else getattr(kind, "__origin__", None)

    def overload(function: object) -> object:
        """Return ``function``, which another one of its name replaces."""
        return function

    def dataclass_transform(**_options: object) -> object:
        """Return a decorator that changes nothing."""
        return lambda decorated: decorated

    class _Tuple(tuple):
        """What all named tuples share."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012 - as of collections.namedtuple

        @classmethod
        def _make(cls, values):
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, /, **changes):
            """Return a copy with other values."""
            values = [changes.pop(name, value) for name, value in zip(self._fields, self, strict=True)]
            if changes:
                # As the interpreter's own do: Python 3.13 changed it.
                error = TypeError if sys.version_info >= (3, 13) else ValueError
                raise error(f"Got unexpected field names: {list(changes)!r}")
            return tuple.__new__(type(self), values)

        __replace__ = _replace

        def _asdict(self):
            """Return the values by their names."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            values = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({values})"

        def __getnewargs__(self):
            return tuple(self)

    def _first_new(cls, /, *values, **named):
        """Make the constructor of a class when it is first called: compiling it takes longer than making the class."""
        kind = next(base for base in cls.__mro__ if "_fields" in vars(base))
        words = ", ".join(kind._fields)
        scope = {"_tuple_new": tuple.__new__}
        new = eval(f"lambda _cls, {words}: _tuple_new(_cls, ({words}{',' if words else ''}))", scope)  # noqa: S307 - names
        new.__defaults__ = tuple(kind._field_defaults.values())
        new.__name__ = "__new__"
        new.__qualname__ = f"{kind.__name__}.__new__"
        kind.__new__ = staticmethod(new)
        return new(cls, *values, **named)

    class _NamedTupleMeta(type):
        def __new__(cls, name, bases, namespace):
            """Make a class of tuples of the fields that are declared in ``namespace``."""
            if any(entry.startswith("__annotate") for entry in namespace):
                raise TypeError(f"{name}: its module has to postpone annotations: from __future__ import annotations")
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one that has one")
            namespace |= {field: _tuplegetter(index, None) for index, field in enumerate(fields)}
            namespace |= {
                "__slots__": (),
                "_fields": fields,
                "__match_args__": fields,
                "_field_defaults": defaults,
                "__new__": _first_new,
            }
            return type(name, tuple(_Tuple if base is _named_tuple else base for base in bases), namespace)

    _named_tuple = type.__new__(_NamedTupleMeta, "NamedTuple", (), {})

    class _Base:
        """``NamedTuple`` in the bases of a class."""

        def __mro_entries__(self, _bases: object) -> tuple[type, ...]:
            return (_named_tuple,)

    NamedTuple = _Base()
