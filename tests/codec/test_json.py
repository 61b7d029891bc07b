r"""The json format: the shape that rdbtools (``rdb -c json``) and librdb's ``rdb-cli`` print, byte for byte.

What is expected is written by hand for the shape, and comes from ``json``, ``base64`` and Python's own decoders for
text. rdbtools decides where both differ; streams, modules and score texts are librdb's and the servers'.
"""

from __future__ import annotations

import base64
import codecs
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from codec.driving import ESCAPES, FILES, make, name_of_pair, pairs, rdb, written

from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.keys import Keys
from rdbtool._codec.filters.selection import Selection


def as_json(data: bytes, escape: str = "utf8", selection: Selection | None = None) -> bytes:
    return written(data, lambda write: Json(write, escape), selection=selection)


def _hex_bytes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"\\x{byte:02X}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("rdbtool-test-hex", _hex_bytes)


def is_printable(text: bytes) -> bool:
    return re.fullmatch(rb"[\x20-\x7e]*", text) is not None


def spelled(found: re.Match[str]) -> str:
    """Return a control character as its bytes."""
    return "".join(f"\\x{byte:02X}" for byte in found[0].encode())


def escaped(text: bytes, escape: str) -> str:
    """Return what an escape makes of a value, before it becomes a JSON string."""
    match escape:
        case "raw":
            return text.decode("latin-1")
        case "print":
            return "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02X}" for byte in text)
        case "utf8":
            return text.decode("utf-8", "rdbtool-test-hex")
        case _:
            return base64.b64encode(text).decode()


def value_text(text: bytes, escape: str) -> str:
    return json.dumps(escaped(text, escape))


def name_text(text: bytes, escape: str) -> str:
    """What stands left of a colon: printable text is shown as it is."""
    return json.dumps(text.decode() if is_printable(text) else escaped(text, escape))


# The shape


def test_the_default_is_utf8() -> None:
    data = rdb(make.key(0, b"k", make.string("é".encode() + b"\xff")))
    assert written(data, Json) == as_json(data, "utf8") == b'[{\r\n"k":"\\u00e9\\\\xFF"}]\n'


def test_dbs_and_keys() -> None:
    a, b = make.key(0, b"a", make.integer(1)), make.key(4, b"h", make.counted(make.string(b"f") + make.string(b"v")))
    c = make.key(1, b"b", make.counted(make.string(b"x"), make.string(b"y")))
    assert as_json(rdb(make.select(0), a, b, make.select(1), c)) == (
        b'[{\r\n"a":"1",\r\n"h":{"f":"v"}},{\r\n"b":["x","y"]}]\n'
    )


def test_an_empty_file() -> None:
    assert as_json(rdb()) == b"[]\n"
    assert as_json(b"REDIS0002\xff") == b"[]\n"


def test_every_db_has_its_object_even_when_nothing_is_in_it() -> None:
    k = make.key(0, b"k", make.string(b"v"))
    assert as_json(rdb(make.select(0))) == b"[{}]\n"
    assert as_json(rdb(make.select(0), make.select(3), k)) == b'[{},{\r\n"k":"v"}]\n'
    assert as_json(rdb(make.select(2), k, make.select(2), k)) == b'[{\r\n"k":"v"},{\r\n"k":"v"}]\n'


def test_filters_leave_empty_objects() -> None:
    data = rdb(
        make.select(0), make.key(0, b"k", make.string(b"v")), make.select(5), make.key(0, b"l", make.string(b"w"))
    )
    assert as_json(data, selection=Selection(dbs=[5])) == b'[{},{\r\n"l":"w"}]\n'
    assert as_json(data, selection=Selection(dbs=[0])) == b'[{\r\n"k":"v"},{}]\n'
    assert as_json(data, selection=Selection(dbs=[7])) == b"[{},{}]\n"


def test_a_key_before_any_db_belongs_to_db_0() -> None:
    k = make.key(0, b"k", make.string(b"v"))
    assert as_json(rdb(k)) == b'[{\r\n"k":"v"}]\n'
    assert as_json(rdb(k, make.select(0), k)) == b'[{\r\n"k":"v"},{\r\n"k":"v"}]\n'


def test_empty_values_and_names() -> None:
    parts = [
        make.key(0, b"", make.string(b"")),
        make.key(1, b"l", make.counted()),
        make.key(2, b"s", make.counted()),
        make.key(4, b"h", make.counted()),
        make.key(3, b"z", make.counted()),
        make.key(4, b"h2", make.counted(make.string(b"") + make.string(b""))),
    ]
    lines = b'"":"",\r\n"l":[],\r\n"s":[],\r\n"h":{},\r\n"z":{},\r\n"h2":{"":""}'
    for escape in ESCAPES:
        assert as_json(rdb(*parts), escape) == b"[{\r\n" + lines + b"}]\n"


def test_duplicates_are_shown_twice() -> None:
    f = make.string(b"f")
    parts = [
        make.key(4, b"h", make.counted(f + make.integer(1), f + make.integer(2))),
        make.key(3, b"z", make.counted(f + b"\x011", f + b"\x012")),
        make.key(2, b"s", make.counted(f, f)),
    ]
    assert as_json(rdb(*parts, *parts[:1])) == (
        b'[{\r\n"h":{"f":"1","f":"2"},\r\n"z":{"f":"1","f":"2"},\r\n"s":["f","f"],\r\n"h":{"f":"1","f":"2"}}]\n'
    )


def test_score_texts_are_the_servers() -> None:
    texts = [
        b"-0",
        b"0",
        b"1",
        b"1.50",
        b"17e-1",
        b"1e20",
        b"100000",
        b"0.00001",
        b"1e-7",
        b"3.25e300",
        b"9007199254740993",
    ]
    members = [make.string(b"%d" % at) + bytes([len(text)]) + text for at, text in enumerate(texts)]
    members += [make.string(b"i") + b"\xfe", make.string(b"j") + b"\xff", make.string(b"n") + b"\xfd"]
    data = rdb(make.key(3, b"z", make.counted(*members)))
    shown = [
        "-0",
        "0",
        "1",
        "1.5",
        "1.7",
        "1e+20",
        "100000",
        "0.00001",
        "1e-7",
        "3.25e+300",
        "9007199254740992",
        "inf",
        "-inf",
        "nan",
    ]
    assert list(json.loads(as_json(data))[0]["z"].values()) == shown
    encoded = list(json.loads(as_json(data, "base64"))[0]["z"].values())
    assert [base64.b64decode(text, validate=True).decode() for text in encoded] == shown


def test_streams_and_modules_as_librdb_shows_them() -> None:
    node = make.stream_node(
        (5, 1), 1, [b"f"], [[2, 0, 0, b"v"], [3, 0, 1, b"w"], [0, 2, -1, 2, b"\x00", 1, b"b", 4096]]
    )
    stream = make.length(1) + node + make.length(2) + make.ids((7, 0)) + make.counted()
    module = make.module_id("Module-_9", 1) + b"\x02\x07\x00"
    empty = make.length(0) + make.length(0) + make.ids((7, 0)) + make.counted()
    data = rdb(make.key(15, b"s", stream), make.key(7, b"m", module), make.key(15, b"e", empty), magic=b"REDIS0009")
    size = len(module)
    assert as_json(data) == (
        b'[{\r\n"s":{"entries":[{"id":"5-1","items":{"f":"v"}},{"id":"7-0","items":{"\\u0000":"1","b":"4096"}}]},\r\n'
        b'"m":"<Content of Module \'Module-_9\'. Occupies a serialized size of %d bytes>",\r\n'
        b'"e":{"entries":[]}}]\n' % size
    )
    assert b'"items":{"f":"dg=="}' in as_json(data, "base64")
    assert b'"items":{"AA==":"MQ==","b":"NDA5Ng=="}' in as_json(data, "base64")


def test_arrays_are_objects() -> None:
    path = next(path for path in FILES if path.name == "redis-8.8-array-stream-nacks.rdb")
    found = json.loads(as_json(path.read_bytes()))[0]
    assert found["array"] == {"0": "text", "1": "-5", "7": "0.5", str(1 << 33): "short"}
    assert found["one"] == {"3": "x"}


def test_aux_fields_functions_and_expiries_are_not_shown() -> None:
    data = rdb(
        make.aux(b"redis-ver", make.string(b"7.0.0")),
        b"\xf5" + make.string(b"#!lua name=x"),
        b"\xf7" + make.module_id("Module-_9", 1) + b"\x02\x01\x00",
        make.select(0),
        make.resize(1, 1),
        make.expire(make.FAR_MS) + b"\xf9\x01" + make.key(0, b"k", make.string(b"v")),
        magic=b"REDIS0010",
    )
    assert as_json(data) == b'[{\r\n"k":"v"}]\n'


# Text


def interesting_texts() -> list[bytes]:
    """Every byte alone and in the middle, and every way in which UTF-8 can be sound or not."""
    texts = [bytes([byte]) for byte in range(256)] + [b"a" * 17 + bytes([byte]) + b"b" * 17 for byte in range(256)]
    for point in (0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF):
        whole = chr(point).encode()
        texts += [whole, whole * 9, b"x" + whole, *(whole[:cut] for cut in range(1, len(whole)))]
        texts += [whole[:cut] + b"A" for cut in range(1, len(whole))] + [whole[cut:] for cut in range(1, len(whole))]
        texts += [whole[:cut] + whole for cut in range(1, len(whole))]
    broken = """
        eda080 edb080 eda0bdedb880 c080 c1bf e08080 e09fbf f0808080 f08fbfbf f4908080 f5808080 f888808080 feff
        f09f41 f09f9841 e28241 e228a1 fe00c3a2f2
    """
    texts += map(bytes.fromhex, broken.split())
    texts += [b"", b"\\x41", b"\\u0041", b"\r\n", b"\x00" * 40, b"\x7f" * 40, b'"' * 40, b"\\" * 40, bytes(range(256))]
    dice = random.Random(1)
    alphabet = [
        b"a",
        b"\x80",
        b"\xbf",
        b"\xc3",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"\xed\xa0",
        "é€😀".encode(),
        b"\x00",
        b'"',
        b"\xff",
    ]
    texts += [b"".join(dice.choices(alphabet, k=dice.randrange(1, 40))) for _ in range(3000)]
    texts += [dice.randbytes(dice.randrange(80)) for _ in range(2000)]
    return texts


def as_values(texts: list[bytes]) -> bytes:
    return rdb(make.key(1, b"l", make.counted(*map(make.string, texts))))


@pytest.mark.parametrize("escape", ESCAPES)
def test_values(escape: str) -> None:
    texts = interesting_texts()
    expected = '[{\r\n"l":[' + ",".join(value_text(text, escape) for text in texts) + "]}]\n"
    assert as_json(as_values(texts), escape) == expected.encode("ascii")


def test_processors_that_escape_byte_by_byte(tmp_path: Path) -> None:
    """The output is the same where 8 bytes cannot be written at once."""
    dice = random.Random(2)
    path = tmp_path / "a.rdb"
    path.write_bytes(as_values([*interesting_texts(), *(dice.randbytes(dice.randrange(5000)) for _ in range(100))]))
    code = """
import sys
from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.text import is_wide
from rdbtool.reader.rdb import open_rdb
is_wide(off=sys.argv[2] == "off")
assert sys.argv[2] == "on" or not is_wide()
for escape in ("raw", "print", "utf8", None):
    sink = Jsonl(sys.stdout.buffer.write) if escape is None else Json(sys.stdout.buffer.write, escape)
    with open_rdb(sys.argv[1]) as reader:
        reader.feed(sink)
    sink.close()
"""
    found = [
        subprocess.run([sys.executable, "-c", code, path, way], check=True, capture_output=True).stdout
        for way in ("on", "off")
    ]
    assert found[0] == found[1] != b""


@pytest.mark.parametrize("escape", ESCAPES)
def test_names(escape: str) -> None:
    """Keys, hash fields and sorted-set members."""
    texts = interesting_texts()
    data = rdb(
        *(make.key(0, text, make.integer(1)) for text in texts),
        make.key(4, b"h", make.counted(*(make.string(text) + make.string(b"v") for text in texts))),
        make.key(3, b"z", make.counted(*(make.string(text) + b"\x015" for text in texts))),
        make.key(2, b"s", make.counted(*map(make.string, texts))),
    )
    one, v, five = (value_text(text, escape) for text in (b"1", b"v", b"5"))
    lines = [f"{name_text(text, escape)}:{one}" for text in texts]
    lines.append('"h":{' + ",".join(f"{name_text(text, escape)}:{v}" for text in texts) + "}")
    lines.append('"z":{' + ",".join(f"{name_text(text, escape)}:{five}" for text in texts) + "}")
    lines.append('"s":[' + ",".join(value_text(text, escape) for text in texts) + "]")
    assert as_json(data, escape) == ("[{\r\n" + ",\r\n".join(lines) + "}]\n").encode("ascii")


def test_hand_written_texts() -> None:
    data = as_values([b"\xfe\x00\xc3\xa2\xf2", b'\x08\x09\x0a\x0c\x0d\x1f\x7f"\\/'])
    first, second = b'"\\\\xFE\\u0000\\u00e2\\\\xF2"', b'"\\b\\t\\n\\f\\r\\u001f\\u007f\\"\\\\/"'
    assert as_json(data, "utf8") == b'[{\r\n"l":[' + first + b"," + second + b"]}]\n"
    assert b'["\\u00fe\\u0000\\u00c3\\u00a2\\u00f2",' in as_json(data, "raw")
    assert b'["\\\\xFE\\\\x00\\\\xC3\\\\xA2\\\\xF2",' in as_json(data, "print")
    assert b'["/gDDovI=",' in as_json(data, "base64")


@pytest.mark.parametrize("escape", ESCAPES)
def test_large_texts_in_pieces(escape: str) -> None:
    """Sound and broken sequences across the borders of the pieces (256 KiB) that large strings are written in."""
    piece = 1 << 18
    texts = []
    for shift in range(5):
        texts.append(b"a" * (piece - shift) + "😀é€".encode() * 20_000)
        texts.append(b"a" * (piece - shift) + b"\xf0\x9f\x98" * 20_000)
        texts.append(b"\x80" * (piece + shift))
    texts.append("é".encode() * piece)
    expected = ('[{\r\n"l":[' + ",".join(value_text(text, escape) for text in texts) + "]}]\n").encode("ascii")
    assert as_json(as_values(texts), escape) == expected


def test_unknown_escapes() -> None:
    with pytest.raises(ValueError, match="escape is one of"):
        Json(lambda data: None, "hex")
    with pytest.raises(ValueError, match="escape is one of"):
        Keys(lambda data: None, "hex")


@pytest.mark.parametrize(("path", "escape"), pairs(ESCAPES), ids=name_of_pair)
def test_every_file_is_ascii_json(path: Path, escape: str) -> None:
    text = as_json(path.read_bytes(), escape)
    assert isinstance(json.loads(text.decode("ascii")), list)
    assert text.endswith(b"}]\n")


# Keys


def test_keys_are_one_a_line() -> None:
    texts = interesting_texts()
    data = rdb(*(make.key(1, text, make.counted(make.string(b"x"))) for text in texts))
    assert written(data, Keys) == b"".join(text + b"\n" for text in texts)
    for escape in ("print", "utf8", "base64"):
        lines = []
        for text in texts:
            if is_printable(text):
                lines.append(text)
            elif escape == "utf8":
                # One key a line: control characters cannot stand for themselves.
                shown = escaped(text, "utf8")
                controls = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
                lines.append(re.sub(controls, spelled, shown).encode())
            else:
                lines.append(escaped(text, escape).encode())
        assert written(data, lambda write: Keys(write, escape)) == b"".join(line + b"\n" for line in lines)  # noqa: B023
