"""What is wrong with lines of JSON, and where: one of our errors for any bytes, and the words for each mistake."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from codec.driving import FILES, written
from hypothesis import example, given
from hypothesis import strategies as st

from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool.core.codes import BY_CODE
from rdbtool.core.errors import FormatError, RdbToolError, UnsupportedError, describe_error
from rdbtool.model import KeyRecord
from rdbtool.reader.jsonl import lines
from rdbtool.reader.jsonl.line_fields import Refusal
from rdbtool.reader.jsonl.lines import FRONT as FRONT_OF_LINE
from rdbtool.reader.jsonl.lines import Line, parse_line
from rdbtool.reader.jsonl.reader import open_jsonl

HEADER = b'{"rdb":{"magic":"REDIS","version":15}}\n'
GOOD = b'{"key":"good","type":"string","value":"v"}\n'
FRONT = HEADER + GOOD


class Bad(NamedTuple):
    """A line, the error it is: code, way to the mistake, what was expected, what was found, and its column."""

    line: bytes | str
    code: str
    path: str
    expected: str
    found: str
    column: int = 0


def of_key(rest: str) -> str:
    return '{"key":"k",' + rest + "}"


def of(kind: str, value: str) -> str:
    return of_key(f'"type":"{kind}","value":{value}')


def stream(more: str, entries: str = "[]") -> str:
    return of("stream", f'{{"entries":{entries},"last_id":"7-0"{more}}}')


def group(more: str) -> str:
    return stream(f',"groups":[{{"name":"g","last_id":"0-0"{more}}}]')


def pending(*rows: str) -> str:
    return group(',"consumers":[{"name":"a"},{"name":"b"}],"pending":[' + ",".join(rows) + "]")


GROUP = "value.groups[0]"
U64 = 1 << 64
I64 = 1 << 63

BAD = {
    # no JSON — JSN001
    "no JSON": Bad("{nothing}", "JSN001", "", "JSON", '"nothing}"', 1),
    "a word": Bad('{"key":k}', "JSN001", "", "JSON", '"k}"', 7),
    "behind text that is not ASCII": Bad('{"é€😀":k}', "JSN001", "", "JSON", '"k}"', 13),
    "a control character": Bad('{"key":"a\tb"}', "JSN001", "", "JSON", "control character", 9),
    "an unknown escape": Bad('{"key":"a\\x"}', "JSN001", "", "JSON", "escape", 9),
    "single quotes": Bad("{'key':'k'}", "JSN001", "", "JSON", "'key'", 1),
    "two objects": Bad(
        '{"aux":["a","b"]} {"aux":["a","b"]}', "JSN001", "", "one JSON object on a line", "after it", 17
    ),
    "NaN": Bad(of("zset", '[["m",NaN]]'), "JSN001", "", 'as "inf"', "NaN"),
    "Infinity": Bad(of("zset", '[["m",-Infinity]]'), "JSN001", "", 'as "inf"', "-Infinity"),
    "an array": Bad('[{"key":"k"}]', "JSN001", "", "a JSON object", "an array of 1"),
    "a string": Bad('  "key"', "JSN001", "", "a JSON object", 'the string "key"', 2),
    "a number": Bad("5", "JSN001", "", "a JSON object", "the number 5"),
    "null": Bad("null", "JSN001", "", "a JSON object", "null"),
    "base64 alone": Bad('{"base64":"/w=="}', "JSN001", "", "a JSON object", "1 bytes in base64"),
    "deep": Bad(of("list", "[" * 100_000), "JSN001", "", "a few levels", "hundreds of levels"),
    "deep objects": Bad('{"a":' * 100_000, "JSN001", "", "a few levels", "hundreds of levels"),
    # no UTF-8 — JSN002
    "a byte": Bad(b'{"key":"\xff"}', "JSN002", "", "UTF-8", "the byte 0xff", 8),
    "a surrogate in UTF-8": Bad(b'{"key":"\xed\xa0\x80"}', "JSN002", "", "UTF-8", "the byte 0xed", 8),
    "UTF-16": Bad('{"a":1}'.encode("utf-16"), "JSN002", "", "UTF-8", "the byte 0xff", 0),
    "half a pair": Bad(of("string", r'"\ud800"'), "JSN002", "value", "whole characters", "half of a surrogate pair"),
    "the other half": Bad(of("list", r'["a","\udc00a"]'), "JSN002", "value[1]", "whole characters", "half"),
    "half a pair in a key": Bad(
        r'{"key":"\udfff","type":"string","value":""}', "JSN002", "key", "whole characters", "half"
    ),
    # members — JSN004
    "an empty object": Bad("{}", "JSN004", "", "a line with key, aux", "an empty object"),
    "an unknown line": Bad('{"foo":1}', "JSN004", "", "a line with key, aux", 'an object with "foo"'),
    "an unknown member": Bad(
        of_key('"type":"string","value":"v","ttl":5'), "JSN004", "", "one of the members", '"ttl"'
    ),
    "an unknown member that cannot be printed": Bad(
        of_key(r'"type":"string","value":"v","\ud800\u001b":5'),
        "JSN004",
        "",
        "one of the members",
        r'"\xed\xa0\x80\x1b"',
    ),
    "no type": Bad(of_key('"value":"v"'), "JSN004", "", 'the member "type"', "without it"),
    "no value": Bad(of_key('"type":"string"'), "JSN004", "", 'the member "value"', "without it"),
    "a key in a line of another kind": Bad('{"aux":["a","b"],"key":"k"}', "JSN004", "", "one of the members", '"aux"'),
    "two kinds": Bad('{"aux":["a","b"],"function":"x"}', "JSN004", "", "one of the members", '"function"'),
    "a member twice": Bad(of_key('"key":"l","type":"string","value":"v"'), "JSN004", "", "once", '"key" twice'),
    "a member within twice": Bad(stream(',"last_id":"8-0"'), "JSN004", "", "once", '"last_id" twice'),
    "base64 and more": Bad(of("string", '{"base64":"","x":1}'), "JSN005", "value", "a string or", "an object"),
    "no entries": Bad(of("stream", '{"last_id":"0-0"}'), "JSN004", "value", 'the member "entries"', "without it"),
    "no last id": Bad(of("stream", '{"entries":[]}'), "JSN004", "value", 'the member "last_id"', "without it"),
    "unknown in a stream": Bad(stream(',"x":1'), "JSN004", "value", "one of the members", '"x"'),
    "unknown in a group": Bad(group(',"x":1'), "JSN004", GROUP, "one of the members", '"x"'),
    "unknown in a consumer": Bad(
        group(',"consumers":[{"name":"c","y":1}]'), "JSN004", f"{GROUP}.consumers[0]", "one of the members", '"y"'
    ),
    "a first id without a count": Bad(
        stream(',"first_id":"1-0"'), "JSN004", "value", "entries_added", "without a count"
    ),
    "a deleted id without a count": Bad(
        stream(',"entries_added":null,"max_deleted_id":"1-0"'), "JSN004", "value", "entries_added", "without a count"
    ),
    "producers without limits": Bad(stream(',"idmp":{}'), "JSN004", "value.idmp", 'the member "duration_s"', "without"),
    "a header with more": Bad('{"rdb":{"magic":"REDIS","version":11},"x":1}', "JSN004", "", "rdb", '"x"'),
    # shapes — JSN005
    "a type that nobody has": Bad(of("bitmap", '"v"'), "JSN005", "type", "a type: string", '"bitmap"'),
    "a type that is none": Bad(of_key('"type":[],"value":1'), "JSN005", "type", "a type: string", "an array of 0"),
    "a key that is none": Bad('{"key":5,"type":"string","value":"v"}', "JSN005", "key", "a string or", "the number 5"),
    "a key that is null": Bad('{"key":null,"type":"string","value":"v"}', "JSN005", "key", "a string or", "null"),
    "a number as a string's value": Bad(of("string", "5"), "JSN005", "value", 'a string or {"base64"', "the number 5"),
    "true": Bad(of("string", "true"), "JSN005", "value", "a string or", "true"),
    "a string as a list": Bad(of("list", '"abc"'), "JSN005", "value", "an array", 'the string "abc"'),
    "bytes as a list": Bad(of("set", '{"base64":"AAAA"}'), "JSN005", "value", "an array", "3 bytes in base64"),
    "an object as a hash": Bad(of("hash", '{"f":"v"}'), "JSN005", "value", "an array", "an object"),
    "an element": Bad(of("list", '["a",["b"]]'), "JSN005", "value[1]", "a string or", "an array of 1"),
    "a field alone": Bad(
        of("hash", '[["f","v"],["g"]]'), "JSN005", "value[1]", "[field, value, expire", "an array of 1"
    ),
    "a field of four": Bad(
        of("hash", '[["f","v",1,2]]'), "JSN005", "value[0]", "[field, value, expire", "an array of 4"
    ),
    "a pair that is a string": Bad(of("hash", '["fv"]'), "JSN005", "value[0]", "[field, value", 'the string "fv"'),
    "a field's expiry": Bad(of("hash", '[["f","v","5"]]'), "JSN005", "value[0][2]", "a whole number", 'the string "5"'),
    "a score in text": Bad(of("zset", '[["m","5"]]'), "JSN005", "value[0][1]", 'a number, "inf"', 'the string "5"'),
    "a score that is null": Bad(of("zset", '[["m",null]]'), "JSN005", "value[0][1]", "a number", "null"),
    "a score that is true": Bad(of("zset", '[["m",true]]'), "JSN005", "value[0][1]", "a number", "true"),
    "a db in text": Bad(of_key('"db":"0","type":"string","value":"v"'), "JSN005", "db", "a whole number", '"0"'),
    "a db that is true": Bad(of_key('"db":true,"type":"string","value":"v"'), "JSN005", "db", "a whole number", "true"),
    "an expiry with a point": Bad(
        of_key('"expire_at_ms":5.0,"type":"string","value":"v"'), "JSN005", "expire_at_ms", "a whole number", "5.0"
    ),
    "an encoding of another type": Bad(
        of_key('"type":"string","encoding":"listpack","value":"v"'),
        "JSN005",
        "encoding",
        "(int, lzf, raw)",
        '"listpack"',
    ),
    "an encoding that is none": Bad(
        of_key('"type":"string","encoding":5,"value":"v"'), "JSN005", "encoding", "a string", "the number 5"
    ),
    "meta in text": Bad(
        of_key('"type":"string","value":"v","meta":"abc"'), "JSN005", "meta", "bytes as", 'the string "abc"'
    ),
    "an aux field alone": Bad('{"aux":["a"]}', "JSN005", "aux", "[name, value]", "an array of 1"),
    "an aux field with a number": Bad('{"aux":["ctime",5]}', "JSN005", "aux[1]", "a string or", "the number 5"),
    "a function that is none": Bad('{"function":{}}', "JSN005", "function", "a string or", "an object"),
    "a pre-release that is none": Bad(
        '{"function":"x","pre_release":1}', "JSN005", "pre_release", "true or false", "the number 1"
    ),
    "slots that are none": Bad(
        '{"slot_import":"j","ranges":[[1]]}', "JSN005", "ranges[0]", "[first slot, last slot]", "1"
    ),
    "a stream that is an array": Bad(of("stream", "[]"), "JSN005", "value", "an object", "an array of 0"),
    "an entry": Bad(stream("", '[["5-1"]]'), "JSN005", "value.entries[0]", "[id, fields]", "an array of 1"),
    "an entry's field": Bad(
        stream("", '[["5-1",[["f"]]]]'), "JSN005", "value.entries[0][1][0]", "[field, value]", "an array of 1"
    ),
    "an id": Bad(stream("", '[["5",[]]]'), "JSN005", "value.entries[0][0]", 'an id such as "5-1"', 'the string "5"'),
    "an id with a newline": Bad(stream("", r'[["5-1\n",[]]]'), "JSN005", "value.entries[0][0]", "an id", "5-1"),
    "an id in other digits": Bad(stream("", '[["٥-1",[]]]'), "JSN005", "value.entries[0][0]", "an id", "٥-1"),
    "an id that is a number": Bad(group(',"pending":[[5,"c",0,0]]'), "JSN005", f"{GROUP}.pending[0][0]", "an id", "5"),
    "a pending entry of three": Bad(pending('["5-1","a",0]'), "JSN005", f"{GROUP}.pending[0]", "[id, consumer", "3"),
    "array items": Bad(of("array", '{"items":{}}'), "JSN005", "value.items", "an array", "an object"),
    "an array item": Bad(of("array", '{"items":[[0,null]]}'), "JSN005", "value.items[0][1]", "a string or", "null"),
    "an array's float": Bad(
        of("array", '{"items":[[0,{"float":"1"}]]}'), "JSN005", "value.items[0][1].float", "a number", 'the string "1"'
    ),
    # ranges — JSN006
    "a db below 0": Bad(of_key('"db":-1,"type":"string","value":"v"'), "JSN006", "db", "from 0 to 2147483647", "-1"),
    "a db above": Bad(
        of_key('"db":2147483648,"type":"string","value":"v"'), "JSN006", "db", "to 2147483647", "2147483648"
    ),
    "an expiry above": Bad(
        of_key(f'"expire_at_ms":{I64},"type":"string","value":"v"'), "JSN006", "expire_at_ms", f"to {I64 - 1}", f"{I64}"
    ),
    "an expiry below": Bad(
        of_key(f'"expire_at_ms":{-I64 - 1},"type":"string","value":"v"'),
        "JSN006",
        "expire_at_ms",
        f"{-I64}",
        f"{-I64 - 1}",
    ),
    "an expiry of -1": Bad(
        of_key('"expire_at_ms":-1,"type":"string","value":"v"'),
        "JSN006",
        "expire_at_ms",
        "a time in ms, or null",
        "-1",
    ),
    "an idle time below": Bad(of_key('"idle_s":-1,"type":"string","value":"v"'), "JSN006", "idle_s", "from 0", "-1"),
    "an idle time above": Bad(
        of_key(f'"idle_s":{I64},"type":"string","value":"v"'), "JSN006", "idle_s", "from 0", f"{I64}"
    ),
    "a frequency": Bad(of_key('"freq":256,"type":"string","value":"v"'), "JSN006", "freq", "from 0 to 255", "256"),
    "a field's expiry below": Bad(of("hash", '[["f","v",-1]]'), "JSN006", "value[0][2]", "from 0", "-1"),
    "thousands of digits": Bad(
        of("zset", f'[["m",{"9" * 5000}]]'), "JSN006", "", "a number that the format can hold", "thousands of digits"
    ),
    "a score of hundreds of digits": Bad(
        of("zset", f'[["m",{"9" * 400}]]'), "JSN006", "value[0][1]", "a double can hold", "9" * 40 + "…"
    ),
    "a score with a large exponent": Bad(
        of("zset", '[["m",1e999]]'), "JSN006", "value[0][1]", "a double can hold", "larger"
    ),
    "an id above": Bad(
        stream("", f'[["{U64}-0",[]]]'), "JSN006", "value.entries[0][0]", f"up to {U64 - 1}", f"{U64}-0"
    ),
    "an id's second number": Bad(
        stream(f',"entries_added":1,"first_id":"0-{U64}"'), "JSN006", "value.first_id", "up to", "0-"
    ),
    "a length": Bad(stream(',"length":-1'), "JSN006", "value.length", "from 0", "-1"),
    "a count of entries": Bad(
        stream(f',"entries_added":{U64}'), "JSN006", "value.entries_added", f"to {U64 - 1}", f"{U64}"
    ),
    "entries read": Bad(
        group(f',"entries_read":{U64 - 1}'), "JSN006", f"{GROUP}.entries_read", f"{U64 - 2}", f"{U64 - 1}"
    ),
    "a time when seen": Bad(
        group(f',"consumers":[{{"name":"c","seen_at_ms":{I64}}}]'),
        "JSN006",
        f"{GROUP}.consumers[0].seen_at_ms",
        f"to {I64 - 1}",
        f"{I64}",
    ),
    "a delivery count": Bad(pending('["5-1","a",0,-1]'), "JSN006", f"{GROUP}.pending[0][3]", "from 0", "-1"),
    "an index": Bad(
        of("array", f'{{"items":[[{U64 - 1},"v"]]}}'), "JSN006", "value.items[0][0]", f"{U64 - 2}", f"{U64 - 1}"
    ),
    "an integer in an array": Bad(
        of("array", f'{{"items":[[0,{I64}]]}}'), "JSN006", "value.items[0][1]", f"{I64 - 1}", f"{I64}"
    ),
    "an insert index": Bad(
        of("array", f'{{"items":[],"insert_index":{U64}}}'), "JSN006", "value.insert_index", f"{U64 - 1}", f"{U64}"
    ),
    "a slot": Bad('{"slot_import":"j","ranges":[[0,16384]]}', "JSN006", "ranges[0][1]", "to 16383", "16384"),
    "slots backwards": Bad(
        '{"slot_import":"j","ranges":[[5,4]]}', "JSN006", "ranges[0]", "not below its first", "4 after 5"
    ),
    # base64 — JSN007
    "base64 without padding": Bad(of("string", '{"base64":"/w"}'), "JSN007", "", "with padding", '"/w"'),
    "base64 of another alphabet": Bad(of("string", '{"base64":"_w=="}'), "JSN007", "", "standard alphabet", '"_w=="'),
    "base64 with a newline": Bad(of("string", r'{"base64":"AAAA\nAAAA"}'), "JSN007", "", "standard alphabet", "AAAA"),
    "base64 that is no ASCII": Bad(of("string", '{"base64":"é==="}'), "JSN007", "", "standard alphabet", "é"),
    "base64 behind its padding": Bad(
        of("string", '{"base64":"AA==AA=="}'), "JSN007", "", "standard alphabet", "AA==AA"
    ),
    "base64 that is a number": Bad(of("string", '{"base64":5}'), "JSN007", "", "base64 in a string", "the number 5"),
    # the header — JSN008
    "a header in the middle": Bad('{"rdb":{"magic":"X","version":1}}', "JSN008", "rdb.magic", "a magic", '"X"'),
    # modules — JSN009
    "a module's value that is empty": Bad(
        of("module", '{"module":"AAAAAAAAA","raw":{"base64":""}}'),
        "JSN009",
        "value.raw at 0x0 of its bytes",
        "1 more byte",
        "their end",
    ),
    "a module's value without an end": Bad(
        of("module", '{"module":"AAAAAAAAA","raw":{"base64":"gQAAAAAAAAABAio="}}'),
        "JSN009",
        "value.raw at 0xb of its bytes",
        "1 more byte",
        "their end",
    ),
    "a module's value with an unknown part": Bad(
        of("module", '{"module":"AAAAAAAAA","raw":{"base64":"gQAAAAAAAAABBgA="}}'),
        "JSN009",
        "value.raw at 0x9 of its bytes",
        "a module opcode (0 to 5)",
        "6",
    ),
    "a module's value with more behind": Bad(
        of("module", '{"module":"AAAAAAAAA","raw":{"base64":"gQAAAAAAAAABAAA="}}'),
        "JSN009",
        "value.raw",
        "nothing after the end mark",
        "1 bytes",
    ),
    "a module of another name": Bad(
        of("module", '{"module":"BAAAAAAAA","raw":{"base64":"gQAAAAAAAAABAA=="}}'),
        "JSN009",
        "value",
        'data of the module "BAAAAAAAA"',
        '"AAAAAAAAA"',
    ),
    "a module's data": Bad(
        '{"module_aux":"AAAAAAAAB","raw":{"base64":"gQAAAAAAAAQCBQA="}}',
        "JSN009",
        "raw at 0x9 of its bytes",
        "opcode 2",
        "5",
    ),
    "a module's data of another": Bad(
        '{"module_aux":"AAAAAAAAC","raw":{"base64":"gQAAAAAAAAQCAgIA"}}', "JSN009", "", '"AAAAAAAAC"', '"AAAAAAAAB"'
    ),
    "meta that is none": Bad(
        of_key('"type":"string","value":"v","meta":{"base64":"CA=="}'),
        "JSN009",
        "meta at 0x0 of its bytes",
        "at most 7",
        "8",
    ),
    # pending entries — JSN010
    "a pending entry twice": Bad(
        pending('["5-1","a",0,0]', '["5-1","a",0,0]'), "JSN010", f"{GROUP}.pending[1]", "another consumer", "5-1 again"
    ),
    "a pending entry apart": Bad(
        pending('["5-1","a",0,0]', '["5-2","a",0,0]', '["5-1","b",0,0]'),
        "JSN010",
        f"{GROUP}.pending[2]",
        "in a row",
        "5-1",
    ),
    "a pending entry out of order": Bad(
        pending('["5-1","b",0,0]', '["5-1","a",0,0]'),
        "JSN010",
        f"{GROUP}.pending[1]",
        "in the order of consumers",
        "5-1",
    ),
    "a pending entry of nobody and somebody": Bad(
        pending('["5-1",null,0,0]', '["5-1","a",0,0]'), "JSN010", f"{GROUP}.pending[1]", "each id once", "5-1 again"
    ),
    "a pending entry at two times": Bad(
        pending('["5-1","a",0,0]', '["5-1","b",1,0]'),
        "JSN010",
        f"{GROUP}.pending[1]",
        "the same time and count",
        "others",
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("end", [b"\n", b"\n" + GOOD], ids=["last", "followed"])
def test_a_bad_line(bad: Bad, end: bytes) -> None:
    line = bad.line.encode() if isinstance(bad.line, str) else bad.line
    found: list[Any] = []
    with pytest.raises(FormatError) as raised, open_jsonl(FRONT + line + end, name="x.jsonl") as reader:
        found.extend(reader.items())
    error = raised.value
    assert len(found) == 2
    assert (error.code, error.where.path) == (bad.code, "line 3" + (f", {bad.path}" if bad.path else ""))
    assert (error.start, error.at) == (len(FRONT), len(FRONT) + bad.column)
    assert (error.readable_up_to, error.keys_read) == (len(FRONT), 1)
    assert bad.expected in error.expected
    assert bad.found in error.found
    assert error.code in BY_CODE
    described = describe_error(error)
    assert described.replace("\n", "").isprintable()
    described.encode()


def test_the_words_of_an_error() -> None:
    line = of_key('"db":2,"type":"hash","value":[["f","v"],["g",5]]') + "\n"
    with pytest.raises(FormatError) as raised, open_jsonl(FRONT + line.encode(), name="x.jsonl") as reader:
        list(reader)
    assert describe_error(raised.value) == (
        'x.jsonl: at 0x52: key "k" (hash): line 3, value[1][1]: '
        'expected a string or {"base64": "…"}, found the number 5\n'
        "  record 2 of db 2 · JSN005\n"
        "  readable up to 0x52 (1 key)"
    )


HEADERS = {
    "a magic": ('{"rdb":{"magic":"MAGIC","version":1}}', "JSN008", "rdb.magic"),
    "no magic": ('{"rdb":{"version":1}}', "JSN004", "rdb"),
    "a version": ('{"rdb":{"magic":"REDIS","version":0}}', "JSN008", "rdb.version"),
    "a version between": ('{"rdb":{"magic":"VALKEY","version":11}}', "JSN008", "rdb.version"),
    "a version in text": ('{"rdb":{"magic":"REDIS","version":"11"}}', "JSN005", "rdb.version"),
    "a version with a point": ('{"rdb":{"magic":"REDIS","version":11.0}}', "JSN005", "rdb.version"),
    "more": ('{"rdb":{"magic":"REDIS","version":11},"aux":["a","b"]}', "JSN004", ""),
    "no object": ('{"rdb":11}', "JSN005", "rdb"),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_bad_header(header: tuple[str, str, str]) -> None:
    line, code, path = header
    with pytest.raises(FormatError) as raised:
        open_jsonl(line.encode() + b"\n" + GOOD)
    assert (raised.value.code, raised.value.where.path) == (code, "line 1" + (f", {path}" if path else ""))
    assert raised.value.at == 0


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n  "])
def test_no_lines(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"at 0x0: expected at least one line.*\(JSN008\)"):
        open_jsonl(data)


def test_the_number_of_a_line_counts_blank_ones() -> None:
    with pytest.raises(FormatError) as raised:
        list(open_jsonl(b"\n\n" + GOOD + b"\n{}\n"))
    assert raised.value.where.path == "line 5"
    assert raised.value.at == len(GOOD) + 3


def read_all(data: bytes) -> list[KeyRecord]:
    with open_jsonl(data) as reader:
        return list(reader)


WHOLE = [
    of("list", '["é😀",{"base64":"/w=="},"a\\u00e9\\n"]'),
    of("zset", '[["a",-1.5e3]]'),
    stream(',"entries_added":null'),
]


@pytest.mark.parametrize("text", WHOLE)
def test_a_last_line_that_is_cut(text: str) -> None:
    """Anywhere: the rest is missing, and all before it was read. Only the newline can be missed out."""
    line = text.encode()
    for stop in range(1, len(line)):
        with pytest.raises(FormatError) as raised:
            read_all(FRONT + line[:stop])
        error = raised.value
        assert (error.code, error.at, error.where.path) == ("JSN003", len(FRONT) + stop, "line 3"), line[:stop]
        assert (error.start, error.readable_up_to, error.keys_read) == (len(FRONT), len(FRONT), 1)
    assert read_all(FRONT + line) == read_all(FRONT + line + b"\n")


def test_a_last_line_that_is_broken_is_not_called_cut() -> None:
    with pytest.raises(FormatError) as raised:
        read_all(FRONT + b'{"key":k,"type":"string","value":"v"}')
    assert (raised.value.code, raised.value.at) == ("JSN001", len(FRONT) + 7)


def outcome(data: bytes) -> list[KeyRecord] | None:
    """Return records, or None where the answer is one of our errors."""
    try:
        return read_all(data)
    except RdbToolError as error:
        assert isinstance(error, FormatError | UnsupportedError)
        if isinstance(error, FormatError):
            assert error.code in BY_CODE
            assert 0 <= error.at <= len(data)
        describe_error(error).encode()
        return None


@given(st.binary(max_size=60))
@example(b"{")
@example(b'{"rdb":{"magic":"REDIS","version":99}}')
def test_any_bytes(data: bytes) -> None:
    outcome(data)
    outcome(GOOD + data)
    outcome(b'{"key":"' + data)


SPECIMEN = b"".join(
    written(path, Jsonl) for path in FILES if path.parent.name == "small" and path.stem != "redis-2.4-without-checksum"
).replace(b'{"rdb"', b'\n{"rdb"')
SPECIMENS = [line + b"\n" for line in SPECIMEN.split(b"\n") if line and not line.startswith(b'{"rdb"')]


@given(st.data())
def test_mutated_lines(data: st.DataObject) -> None:
    line = bytearray(data.draw(st.sampled_from(SPECIMENS)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(line) - 1))
        piece = data.draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"[", b"]", b"-", b"9", b"null", b"1e9"]))
        )
        line[at : at + data.draw(st.integers(0, 4))] = piece
    outcome(HEADER + bytes(line))


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([-1, U64, I64, 10**400]),
        st.floats(),
        st.text(max_size=4),
        st.sampled_from(["5-1", "inf", "\ud800", "a"]),
        st.sampled_from(["/w==", "A"]).map(lambda text: {"base64": text}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.text(max_size=2), st.sampled_from(["entries", "last_id", "groups", "name", "items", "pending"])
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["string", "list", "set", "zset", "hash", "stream", "array", "module", "x"]),
    json_values,
    st.dictionaries(
        st.sampled_from(["db", "expire_at_ms", "idle_s", "freq", "meta", "encoding", "key", "type", "aux", "ranges"]),
        json_values,
        max_size=2,
    ),
)
def test_any_json(kind: str, value: Any, more: dict[str, Any]) -> None:
    row = {"key": "k", "type": kind, "value": value, **more}
    outcome(HEADER + json.dumps(row).encode() + b"\n")
    for name in ("aux", "function", "module_aux", "slot_import", "rdb"):
        outcome(json.dumps({name: value, **more}).encode())


MISTAKES = [
    "[[],[][],[]", '[1,2 3,"x"]', '[1,"a\x01b"]', '["a\\q"]', "[nul]", '{"a":1,"a":2}', '["a" "b"]', "[NaN]", "[1,]",
    "[" * 400, "1" * 5000, '["' + "x" * (1 << 20) + '\x02"]', '["' + "é" * (1 << 20) + '"}',
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=range(len(MISTAKES)))
@pytest.mark.parametrize("blanks", ["", " " * 50])
def test_the_front_of_a_long_line_is_judged_alone(mistake: str, blanks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = '"value":' + "[" + ",".join(["[]"] * 500) + "," + mistake + "," + ",".join(["[]"] * 600_000) + "]"
    line = Line(100, 2, (blanks + of_key(rest)).encode(), is_whole=True)
    faults = []
    for front in (FRONT_OF_LINE, 1 << 30):
        monkeypatch.setattr(lines, "FRONT", front)
        with pytest.raises(Refusal) as caught:
            parse_line(line)
        faults.append((caught.value.code, caught.value.expected, caught.value.found, caught.value.at))
    assert faults[0] == faults[1]


def test_a_long_line_without_a_mistake_is_read() -> None:
    text = of_key('"type":"set","value":["' + "é\\n" * (1 << 19) + '","' + "x" * (1 << 20) + '"]')
    assert parse_line(Line(0, 1, text.encode(), is_whole=True))["type"] == "set"
