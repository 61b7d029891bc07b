"""Formatting of bytes, values, times and sizes for people.

Every table, hex view and report shows bytes through :func:`show_bytes`, so a key looks the same everywhere and no byte
of a file reaches a terminal as a control sequence.
"""

from __future__ import annotations

from rdbtool.core.errors import describe_key


def show_bytes(data: bytes, limit: int = 60, *, bare: bool = False) -> str:
    r"""Return bytes as printable text in quotes, shortened to ``limit`` bytes, other bytes as ``\xHH``.

    ``bare`` omits the quotes where the text is unambiguous without them: not for empty data, spaces at the ends, or
    escaped bytes.
    """
    quoted = describe_key(data, limit)
    if bare and data and len(data) <= limit and "\\" not in quoted and data.strip() == data:
        return quoted[1:-1]
    return quoted


def key_argument(key: bytes) -> str:
    r"""Return a key as commands take it: with ``\\`` for a backslash, ``\xHH`` for other bytes and for a first dash."""

    def spell(character: str) -> str:
        if character == "\\":
            return "\\\\"
        encoded = character.encode("utf-8", "surrogateescape")
        return character if character.isprintable() else "".join(f"\\x{byte:02x}" for byte in encoded)

    text = "".join(map(spell, key.decode("utf-8", "surrogateescape")))
    return f"\\x2d{text[1:]}" if text.startswith("-") else text


def show_score(score: float) -> str:
    """Return a score as servers write it: integers without a fraction, else the shortest form."""
    if score.is_integer() and abs(score) < 1 << 53:
        return "-0" if score == 0 and str(score).startswith("-") else str(int(score))
    return repr(score)


def show_time(milliseconds: int) -> str:
    """Return Unix milliseconds as ISO 8601 in UTC, or the number itself if it is outside the calendar's range."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - takes a millisecond or two, and times are seldom shown

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return f"{milliseconds} ms"
    return moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds").replace("+00:00", "Z")


def show_duration(milliseconds: int) -> str:
    """Return a duration in its two largest units, such as ``3d 4h`` or ``250ms``."""
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    rest = milliseconds // 1000
    parts: list[tuple[int, str]] = []
    for unit, size in (("y", 31_536_000), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if rest >= size or parts:
            parts.append((rest // size, unit))
            rest %= size
    return " ".join(f"{count}{unit}" for count, unit in parts[:2] if count)


def show_ttl(expire_at_ms: int | None, now_ms: int) -> str:
    """Return the time left until ``expire_at_ms``, ``-`` for a key without expiry."""
    if expire_at_ms is None:
        return "-"
    return show_duration(expire_at_ms - now_ms) if expire_at_ms > now_ms else "expired"


def show_count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with thousands separators and its noun, such as ``1,234 keys``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def show_memory(size: float) -> str:
    """Return a number of bytes in its unit with about three digits, such as ``181 B``, ``4.0 KiB`` or ``1,204 TiB``."""
    if abs(size) < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= 1024
        if abs(size) < 1023.95 or unit == "TiB":
            break
    return f"{size:.1f} {unit}" if abs(size) < 99.95 else f"{size:,.0f} {unit}"


def show_share(part: float, whole: float) -> str:
    """Return a share in percent with one decimal, or ``-`` if ``whole`` is 0."""
    return f"{100 * part / whole:.1f}%" if whole else "-"
