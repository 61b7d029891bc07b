"""What FUNCTION DUMP answers: function libraries with a footer like that of DUMP (format A15)."""

from __future__ import annotations

from rdbtool.core.errors import FormatError, LimitError, UnsupportedError
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.core.rdb_types import REDIS, VALKEY, VERSIONS
from rdbtool.core.servers import Rules
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.inference.least_server import since_version
from rdbtool.model import FunctionLibrary
from rdbtool.reader.payload import FOOTER_SIZE, FooterError, check_footer

if TYPE_CHECKING:
    from rdbtool.engine.inference.least_server import ServerNeeds


def record_payload(needs: ServerNeeds | None, payload: bytes) -> None:
    """Ask which servers read a payload, if none was named. Raises UnmetNeedError."""
    if needs is None:
        return
    version = int.from_bytes(payload[-FOOTER_SIZE:][:2], "little")
    since = since_version(version, "a payload of ")
    if since is None or needs.has_recorded(since):
        return
    try:
        check_footer(payload)
    except FooterError:
        return
    needs.require(since)


def read_functions(payload: bytes, rules: Rules) -> list[bytes]:
    """Return the sources of the libraries in a payload. Raises CommandError where a server refuses it."""
    from rdbtool.grammar import FileState, MemoryStream, read_item  # noqa: PLC0415 - construct takes 40 ms

    try:
        version = check_footer(payload, rules)
    except FooterError:
        raise CommandError("ERR DUMP payload version or checksum are wrong") from None
    size = len(payload) - FOOTER_SIZE
    stream = MemoryStream(memoryview(payload)[:size])
    state = FileState(VALKEY if version >= VERSIONS[VALKEY][0] else REDIS, version)
    codes = []
    while stream.tell() < size:
        try:
            item = read_item(stream, state)
        except (FormatError, LimitError, UnsupportedError):
            raise CommandError("ERR failed loading the given functions payload") from None
        if not isinstance(item, FunctionLibrary):
            raise CommandError("ERR given type is not a function")
        if not item.released:
            raise CommandError("ERR Pre-GA function format not supported")
        codes.append(item.code)
    return codes
