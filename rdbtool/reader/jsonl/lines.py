"""Lines of JSON: decoded, parsed, with an offset for what is wrong.

``json`` parses; what it lets pass and JSON does not (NaN, a member twice) is refused here, and base64 becomes bytes on
the way.
"""

from __future__ import annotations

import binascii
import codecs
import json

from rdbtool.core.light_typing import Final, NamedTuple, NoReturn
from rdbtool.reader.jsonl.line_fields import Refusal, describe_json, quote

_SPACES: Final = " \t\r"

#: Bytes of a long line that are parsed alone.
FRONT: Final = 1 << 20

#: Characters around a mistake that are quoted.
_SHOWN: Final = 20


class Line(NamedTuple):
    """A line without its newline, which the last one may lack. ``start`` is its offset in bytes, ``number`` from 1.

    ``is_deep``: ``text`` ends at a level too many, and the rest of the line was not read.
    """

    start: int
    number: int
    text: bytes
    is_whole: bool
    is_deep: bool = False

    @property
    def stop(self) -> int:
        """The offset after the line."""
        return self.start + len(self.text) + self.is_whole


def parse_line(line: Line) -> dict[str, object]:
    """Return the object on a line. Raises Refusal, whose ``at`` is an offset in bytes of the line."""
    if line.is_deep:
        raise Refusal("JSN001", "syntax", "JSON with a few levels of nesting", "more levels", at=len(line.text) - 1)
    if len(line.text) > FRONT:
        _refuse_front(line.text[:FRONT])
    text = _decode(line)
    begin = 0 if text[:1] == "{" else len(text) - len(text.lstrip(_SPACES))
    try:
        row, end = _DECODER.raw_decode(text, begin)
    except json.JSONDecodeError as error:
        if not line.is_whole and _is_cut(text, error.pos):
            raise _cut(line) from None
        raise _unexpected(text, error) from None
    except RecursionError:
        raise Refusal("JSN001", "syntax", "JSON with a few levels of nesting", "hundreds of levels") from None
    except ValueError:
        raise Refusal("JSN006", "range", "a number that the format can hold", "one of thousands of digits") from None
    if end != len(text) and text[end:].strip(_SPACES):
        found = quote(text[end : end + _SHOWN])
        raise Refusal("JSN001", "syntax", "one JSON object on a line", f"{found} after it", at=_to_bytes(text, end))
    if type(row) is not dict:
        raise Refusal("JSN001", "syntax", "a JSON object", describe_json(row), at=_to_bytes(text, begin))
    return row


def _decode(line: Line) -> str:
    try:
        return line.text.decode()
    except UnicodeDecodeError as error:
        if not line.is_whole and error.end == len(line.text):
            raise _cut(line) from None
        byte = f"the byte 0x{line.text[error.start]:02x}"
        raise Refusal(
            "JSN002", "encoding", 'UTF-8 (other bytes are written {"base64": "…"})', byte, at=error.start
        ) from None


def _refuse_front(front: bytes) -> None:
    """Raise the Refusal of a long line whose fault is in its front: so its text is not held, too."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(front)
        _DECODER.raw_decode(text.lstrip(_SPACES))
    except json.JSONDecodeError as error:
        begin = len(text) - len(text.lstrip(_SPACES))
        at = begin + error.pos
        # A string that ends after the front is reported where it begins, and a cut word, number or escape near the end.
        if at < len(text) - _SHOWN and text[at] != '"':
            raise _unexpected(text, error, begin) from None
    except (UnicodeDecodeError, RecursionError, ValueError):
        return


def _unexpected(text: str, error: json.JSONDecodeError, begin: int = 0) -> Refusal:
    at = begin + error.pos
    found = f"{quote(text[at : at + _SHOWN])} ({error.msg})" if text[at:] else "its end"
    return Refusal("JSN001", "syntax", "JSON", found, at=_to_bytes(text, at))


def _is_cut(text: str, at: int) -> bool:
    """Whether JSON that is refused at a character could go on after its end: in a string, a word, an escape."""
    rest = text[at:].rstrip(_SPACES)
    return rest[:1] in {"", '"'} or (len(rest) < 9 and not set(rest) & set('"}],'))


def _cut(line: Line) -> Refusal:
    return Refusal("JSN003", "cut", "the rest of the line", "end of file", at=len(line.text))


def _to_bytes(text: str, at: int) -> int:
    return len(text[:at].encode())


def _object(pairs: list[tuple[str, object]]) -> object:
    """Return an object whose members are all different, and base64 as the bytes that it stands for."""
    if len(pairs) == 1 and pairs[0][0] == "base64":
        return _decode_base64(pairs[0][1])
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in row if names.count(key) > 1)
        raise Refusal("JSN004", "member", "each member once", f"{quote(twice)} twice")
    return row


def _decode_base64(text: object) -> bytes:
    if type(text) is not str:
        raise Refusal("JSN007", "encoding", "base64 in a string", describe_json(text))
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        found = f"{quote(text)} ({error})"
        raise Refusal("JSN007", "encoding", "base64 of the standard alphabet, with padding", found) from None


def _refuse_constant(word: str) -> NoReturn:
    raise Refusal("JSN001", "syntax", 'JSON, where such numbers are strings such as "inf"', word)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
