"""Regular expressions that are compiled when they are first used.

Compiling one takes 0.05 to 0.6 ms, the import of ``re`` three, and a run uses few of those in the modules that it
imports. Flags are part of the pattern: ``(?i)``.
"""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING, Any, AnyStr, cast

if TYPE_CHECKING:
    import re


def pattern(text: AnyStr) -> re.Pattern[AnyStr]:
    """Return a pattern with the methods of a compiled one."""
    return cast("re.Pattern[AnyStr]", _Pattern(text))


class _Pattern:
    """A pattern that is not compiled yet; afterwards it has the methods that were used."""

    def __init__(self, text: str | bytes) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        import re  # noqa: PLC0415 - it takes longer than what is read of a small file

        found = getattr(re.compile(self._text), name)
        setattr(self, name, found)
        return found
