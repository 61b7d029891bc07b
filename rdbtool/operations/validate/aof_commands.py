"""AOF rules beyond framing: commands and their arguments, times, files beside the manifest.

Nothing is executed here. The commands were counted during the read (``reader.aof.command_stats``), so each name is
checked once: does the server have it, with this number of arguments?
"""

from __future__ import annotations

from itertools import pairwise

from rdbtool.core.commands import COMMANDS, PRODUCT_BY_COMMAND, CommandRow
from rdbtool.core.errors import Finding, what_servers_do
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.manifest import Manifest
from rdbtool.core.servers import Product, Rules
from rdbtool.reader.aof.command_stats import Call, Use, Uses
from rdbtool.reader.open.files import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPORARY: Final = "temp-"

_REFUSES: Final = "The server refuses to start."


class Grader:
    """Sets the severity of findings: their own, or, at server level, whether that server refuses the AOF."""

    def __init__(self, rules: Rules, *, is_server_level: bool, is_asked_for: bool, writer: Rules | None) -> None:
        self.rules = rules
        #: The rules were given, and a later server may have written the rest.
        self.is_asked_for = is_asked_for
        #: The server that the snapshot names, if any: a later one may have continued the AOF.
        self.writer = writer
        self.is_server_level = is_server_level

    def severity(self, own: str, *, refused: bool) -> str:
        """Return the severity of a finding that servers of ``rules`` refuse or accept."""
        if self.is_server_level:
            return "error" if refused else "note"
        return "error" if refused else own

    def is_redis_before(self, major: int, minor: int = 0) -> bool:
        """Whether the server is a Redis before a version."""
        return not self.rules.has((major, minor))

    @property
    def counts_arguments(self) -> bool:
        """Whether the server checks the number of arguments while it loads an AOF (format C2)."""
        return self.rules.has(None, (9, 1))


def check_commands(uses: Uses, parts: list[Part], grader: Grader) -> Iterator[tuple[Finding, int]]:
    """Yield findings about command names and arguments, each with the number of calls."""
    for name, use in uses.by_name.items():
        row = COMMANDS.get(name)
        if row is None:
            yield _unknown(use, name, parts, grader), use.calls
            continue
        if name == b"DISCARD":
            severity = grader.severity("warning", refused=False)
            message = f"DISCARD{_times(use)}: servers write only transactions that were executed"
            server = what_servers_do("CMD206")
            yield Finding("CMD206", severity, *_at(use.first, parts), message, server, use.first.number), use.calls
        yield from ((finding, 1) for finding in _check_command(name, use, row, parts, grader))
    if uses.others:
        message = f"{uses.others:,} more calls of unknown commands"
        yield Finding("CMD201", "error", parts[-1].name, 0, message, what_servers_do("CMD201")), uses.others


def list_uses(uses: Uses) -> Iterator[tuple[CommandRow, Call]]:
    """Yield the commands of Redis and Valkey that an AOF uses, in order, with the first call of each."""
    for name, use in sorted(uses.by_name.items(), key=lambda item: item[1].first.number):
        row = COMMANDS.get(name)
        if row is not None and row.is_of_servers:
            yield row, use.first


def find_product(uses: Uses) -> tuple[Product, str, Call] | None:
    """Return the product that a command identifies, the name of the command and its first call; None for none."""
    found = [(use.first.number, name) for name, use in uses.by_name.items() if name in PRODUCT_BY_COMMAND]
    if not found:
        return None
    _, name = min(found)
    return PRODUCT_BY_COMMAND[name], _show(name), uses.by_name[name].first


def _unknown(use: Use, name: bytes, parts: list[Part], grader: Grader) -> Finding:
    is_passed_over = b" " in name and grader.is_redis_before(7)
    if b"." in name and b" " not in name:
        # Module commands have such names. Whether the server has the module is not a question of the AOF.
        message = f"{_show(use.name)}{_times(use)}: needs a module that provides {_show(use.name)}"
        severity = grader.severity("warning", refused=grader.is_server_level)
        server = "A server without it refuses to start."
        return Finding("CMD201", severity, *_at(use.first, parts), message, server, use.first.number)
    message = f"unknown command {_show(use.name)}{_times(use)}"
    server = "The server continues silently." if is_passed_over else _REFUSES
    severity = grader.severity("error", refused=not is_passed_over)
    return Finding("CMD201", severity, *_at(use.first, parts), message, server, use.first.number)


def _check_command(key: bytes, use: Use, row: CommandRow, parts: list[Part], grader: Grader) -> Iterator[Finding]:
    name = _show(use.name)
    product = PRODUCT_BY_COMMAND.get(key)
    if product is not None:
        message = f"{name}{_times(use)}: a command of {product.name}, which Redis and Valkey do not have"
        severity = grader.severity("note", refused=grader.is_asked_for)
        does = _REFUSES if grader.is_asked_for else "Redis and Valkey refuse to start."
        yield Finding("AOF202", severity, *_at(use.first, parts), message, does, use.first.number)
        return
    server = grader.rules if grader.is_asked_for else grader.writer
    if server is not None and not server.has(row.since.redis, row.since.valkey):
        since = row.redis if server.family == "redis" else row.valkey
        when = f"added it in {since}" if since else "does not have it"
        this = "this is" if grader.is_asked_for else "the snapshot was written by"
        message = f"{name}{_times(use)}: {server.family.capitalize()} {when}, {this} {server}"
        severity = grader.severity("note", refused=grader.is_asked_for)
        does = _REFUSES if grader.is_asked_for else "A server without it refuses to start."
        yield Finding("AOF202", severity, *_at(use.first, parts), message, does, use.first.number)
    least = abs(row.arity)
    refuses = grader.counts_arguments
    if use.fewest.argc < least:
        message = f"{name} with {_arguments(use.fewest)}, expected {'at least ' if row.arity < 0 else ''}{least - 1}"
        does = "The server executes the command as if it had the missing arguments."
        severity = grader.severity("error", refused=refuses)
        does = _REFUSES if refuses else does
        yield Finding("CMD202", severity, *_at(use.fewest, parts), message, does, use.fewest.number)
    if row.arity > 0 and use.most.argc > least:
        message = f"{name} with {_arguments(use.most)}, expected {least - 1}"
        does = "The server executes the command and ignores the rest."
        severity = grader.severity("warning", refused=refuses)
        does = _REFUSES if refuses else does
        yield Finding("AOF201", severity, *_at(use.most, parts), message, does, use.most.number)


def check_times(uses: Uses, parts: list[Part], grader: Grader) -> Iterator[tuple[Finding, int]]:
    """Yield findings about annotations, each with the number of lines."""
    for index, at in uses.annotations.items():
        if grader.is_redis_before(7) and grader.is_asked_for:
            message = f"{grader.rules} does not support annotations"
            yield Finding("AOF206", "error", parts[index].name, at, message, "The server exits."), 1
            break
    for index, fall in uses.falls.items():
        more = f", and {fall.times - 1:,} more" if fall.times > 1 else ""
        message = f"expected a time of {fall.earlier} or later, found {fall.later}{more}"
        severity = grader.severity("warning", refused=False)
        yield Finding("AOF203", severity, parts[index].name, fall.at, message, what_servers_do("AOF203")), fall.times


def check_manifest(manifest: Manifest, grader: Grader) -> Iterator[Finding]:
    """Yield findings about a valid manifest, and about the files beside it."""

    def finding(code: str, own: str, at: int, message: str, *, refused: bool = False, part: str = "") -> Finding:
        severity = grader.severity(own, refused=refused)
        return Finding(code, severity, part or manifest.path, at, message, what_servers_do(code))

    if grader.is_redis_before(7) and grader.is_asked_for:
        # The server does not refuse: it starts without the data, which is certainly not wanted.
        yield finding("AOF207", "error", 0, f"{grader.rules} does not support manifests", refused=True)
    if not manifest.loaded:
        yield finding("MAN105", "warning", 0, "expected a base file or an incr file, found none")
    base, incrs = manifest.base, manifest.incrs
    if base is None and incrs:
        yield finding("MAN107", "warning", incrs[0].at, f"no base file before incr file {incrs[0].seq}")
    if base is not None and manifest.entries[0] is not base:
        yield finding("MAN104", "note", base.at, f"the base file {base.name} is in line {base.line}, not first")
    for before, entry in pairwise(incrs):
        if entry.seq > before.seq + 1:
            message = f"incr file {before.seq + 1} is missing: {before.seq} is followed by {entry.seq}"
            yield finding("MAN106", "warning", entry.at, message)
    for code, own, name, message in _beside(manifest):
        yield finding(code, own, 0, message, part=name)


def _beside(manifest: Manifest) -> Iterator[tuple[str, str, str, str]]:
    """Yield (code, severity, file, message) for files in the directory of a manifest that are not loaded."""
    import re  # noqa: PLC0415 - it takes 3 ms, and a single file needs none
    from pathlib import Path  # noqa: PLC0415 - as above

    path = Path(manifest.path)
    stem = path.name.removesuffix(".manifest")
    numbered = re.compile(re.escape(stem) + r"\.\d+\.(base|incr)\.(rdb|aof)")
    loaded = {entry.name for entry in manifest.loaded}
    history = {entry.name for entry in manifest.history}
    try:
        names = sorted(inner.name for inner in path.parent.iterdir())
    except OSError:
        # The files could be opened; a directory that cannot be listed is not a fault of the AOF.
        return
    for name in names:
        if name in loaded or name == path.name:
            continue
        if name in history:
            yield "MAN103", "note", name, "a file of an earlier AOF still exists"
        elif name.startswith(_TEMPORARY):
            yield "MAN102", "note", name, "a temporary file: a rewrite is under way or was interrupted"
        elif name == stem or numbered.fullmatch(name):
            yield "MAN101", "warning", name, "named like a file of this AOF, but not in the manifest"


def _at(call: Call, parts: list[Part]) -> tuple[str, int]:
    return parts[call.part].name, call.at


def _times(use: Use) -> str:
    return "" if use.calls == 1 else f", the first of {use.calls:,}"


def _arguments(call: Call) -> str:
    return f"{call.argc - 1} argument{'' if call.argc == 2 else 's'}"


def _show(name: bytes) -> str:
    """Return a command name in printable ASCII."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in name[:40])
    return f"{text}…" if len(name) > 40 else text
