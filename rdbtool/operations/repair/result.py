"""The last word on a repair: what was written has to be valid, as anybody who validates it later will find.

The same rules judge it as any other source, those of the server that wrote it. Names of commands that no server has
are left to whoever meant them: a module's, or renamed ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rdbtool.core.errors import InputError, describe_key
from rdbtool.operations.validate.verdict import Checks, validate

if TYPE_CHECKING:
    from rdbtool.operations.repair.part import PartRepair

#: More databases than any file can name.
_ANY: Final = 1 << 64

_UNKNOWN_COMMAND: Final = "CMD201"


def validate_result(
    path: str, parts: Sequence[PartRepair], databases: int | None, rename_commands: Mapping[str, str] | None = None
) -> None:
    """Judge what was written of ``parts`` at ``path``; ``databases`` is how many there may be, None: any number.

    Raises InputError that names the first error.
    """
    checks = Checks(replay=False, databases=_ANY if databases is None else databases, rename_commands=rename_commands)
    verdict = validate(path, checks)
    if verdict.error is not None:
        raise InputError(f"what was written cannot be validated: {verdict.error}")
    is_foreign = any(part.foreign for part in parts)
    for finding in verdict.findings:
        if finding.severity != "error" or (is_foreign and finding.code == _UNKNOWN_COMMAND):
            continue
        key = "" if finding.key is None else f" in key {describe_key(finding.key)} of db {finding.db}"
        raise InputError(
            f"what was written is not valid: {finding.message}{key} at {finding.offset:#x} ({finding.code})"
        )
