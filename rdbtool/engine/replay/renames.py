"""Names that a server's rename-command gave to commands: an AOF has them as they were called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rdbtool.core.commands import FIRST_WORDS

Argv = tuple[bytes, ...]


class Renames:
    """New names of commands, in any case. ``names`` maps them to those that servers have, all in upper case."""

    def __init__(self, commands: Mapping[str, str] | None = None) -> None:
        """Take {new name: command}. Raises ValueError for what names no command."""
        self.names: dict[bytes, bytes] = {}
        for new, name in (commands or {}).items():
            written, command = new.encode(errors="surrogateescape"), name.encode(errors="surrogateescape").upper()
            if not written:
                raise ValueError(f"{name}: its new name is empty")
            if command not in FIRST_WORDS:
                raise ValueError(f"{name!r} is not a command that a server has")
            self.names[written.upper()] = command

    def __bool__(self) -> bool:
        return bool(self.names)

    def apply(self, argvs: Sequence[Argv]) -> list[Argv]:
        """Return commands under the names that servers have."""
        names = self.names
        return [(names[argv[0].upper()], *argv[1:]) if argv[0].upper() in names else argv for argv in argvs]
