"""What the commands print for programs has the shapes that docs/schemas says."""

import gzip
import json
import re
from collections import Counter
from functools import cache

import pytest
from command import FIXTURES, NOW, ROOT, run
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from rdbtool.cli.app import COMMANDS
from rdbtool.cli.typer_commands import build_command

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "docs/schemas").glob("*.json"))}
REGISTRY = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values())

SMALL = sorted(FIXTURES.glob("small/*.rdb"))
CASES = sorted(path for path in FIXTURES.glob("cases/**/*") if path.suffix in {".rdb", ".aof", ".jsonl", ".manifest"})
DAMAGED = [path for path in sorted(FIXTURES.glob("damaged/*")) if path.suffix != ".py"]
AOFS = [FIXTURES / "redis-7.0.15/aof-preamble", *sorted(FIXTURES.glob("*/aof-timestamps"))]
SNAPSHOTS = [FIXTURES / "redis-7.0.15/default.rdb", FIXTURES / "valkey-9.1.2/default.rdb"]

#: Bytes of files of which every byte is explained: a report of more takes long to check.
_SMALL = 4096

EVERYTHING = [*SMALL, *CASES, *DAMAGED, *AOFS, *SNAPSHOTS]


@cache
def validator(name):
    return Draft202012Validator(SCHEMAS[name], registry=REGISTRY)


def check(name, document):
    errors = sorted(validator(name).iter_errors(document), key=lambda error: len(error.path))
    assert not errors, f"{name}: at {errors[0].json_path}: {errors[0].message[:500]}"


def check_runs(name, rows):
    """Check what the command lines print; most have to print something."""
    printed = 0
    for words in rows:
        done = run(name, "--json", *words)
        if done.out:
            check(name, json.loads(done.out))
            printed += 1
        else:
            assert done.code, words
    assert printed > len(rows) // 2


def test_every_schema_is_valid_and_about_a_command():
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
    with_json = {
        name
        for name in COMMANDS
        if any("--json" in getattr(option, "opts", ()) for option in build_command(name).params)
    }
    assert set(SCHEMAS) == with_json | {"common", "dump-json", "dump-jsonl", "memory-jsonl"}


def test_the_list_of_schemas_is_whole():
    listed = re.findall(
        r"^\| \[([\w-]+)\.json\]\(\1\.json\) \|", (ROOT / "docs/schemas/README.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == sorted(SCHEMAS)


def parts_of(schema, path=""):
    """Yield every schema inside of a schema, with its path."""
    yield path, schema
    for word in ("properties", "$defs"):
        for name, part in schema.get(word, {}).items():
            yield from parts_of(part, f"{path}/{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from parts_of(schema[word], f"{path}/{word}")
    for word in ("oneOf", "anyOf", "prefixItems"):
        for index, part in enumerate(schema.get(word, [])):
            yield from parts_of(part, f"{path}/{index}")


@pytest.mark.parametrize("name", SCHEMAS)
def test_properties_are_described_and_objects_are_closed(name):
    for path, schema in parts_of(SCHEMAS[name]):
        for member, part in schema.get("properties", {}).items():
            assert part.get("description", "").endswith((".", ";")) or member == "float", f"{name}{path}/{member}"
        assert schema.get("type") != "object" or "additionalProperties" in schema, f"{name}{path}"


def test_every_shared_definition_is_used():
    texts = {name: json.dumps(schema) for name, schema in SCHEMAS.items()}
    for name in SCHEMAS["common"]["$defs"]:
        assert any(f'common.json#/$defs/{name}"' in text for text in texts.values()) or (
            f'"#/$defs/{name}"' in texts["common"]
        ), name


def test_info(tmp_path):
    packed = tmp_path / "dump.rdb.gz"
    packed.write_bytes(gzip.compress(SMALL[0].read_bytes()))
    check_runs("info", [[path] for path in [*EVERYTHING, packed]])


def test_inspect():
    # What is neither an RDB nor an AOF has no bytes to explain.
    files = [path for path in [*SMALL, *CASES, *DAMAGED] if path.suffix in {".rdb", ".dump"}]
    check_runs("inspect", [[path] for path in files if path.stat().st_size < _SMALL])
    key = run("dump", "-f", "keys", SMALL[0]).out.decode().splitlines()[0]
    choices = [["--exact-key", key, SMALL[0]], ["--at", "0xa8", DAMAGED[0]], ["--record", "3", AOFS[0]]]
    check_runs("inspect", [*choices, *([path] for path in DAMAGED)])


def test_memory():
    check_runs("memory", [[path] for path in EVERYTHING])
    for path in [*SMALL, *SNAPSHOTS]:
        for line in run("memory", "-f", "jsonl", path).out.splitlines():
            check("memory-jsonl", json.loads(line))


def test_validate():
    check("validate", json.loads(run("validate", "--json", "--now", NOW, *EVERYTHING, "missing.rdb").out))
    asked = [["--level", "server", *DAMAGED], ["--strict", *SMALL], ["--expect-digest", "0" * 40, SMALL[0]]]
    check_runs("validate", asked)


def test_stats():
    check_runs("stats", [["--now", NOW, path] for path in EVERYTHING])
    check_runs("stats", [["--since", SNAPSHOTS[0], "--compare", "redis-8.2", "--by", "slot", SNAPSHOTS[1], *SMALL]])
    check_runs("stats", [["--max-key", "100", "--max-elements", "3", "--max-no-ttl", "1%", path] for path in SNAPSHOTS])


def test_repair(tmp_path):
    check_runs("repair", [["--dry-run", path] for path in [*SMALL, *CASES, *DAMAGED]])
    check_runs("repair", [["-o", tmp_path / path.name, path] for path in DAMAGED])


def test_diff():
    pairs = [[first, second] for first, second in zip(SMALL, [*SMALL[1:], SMALL[0]], strict=True)]
    aof = AOFS[0]
    check_runs(
        "diff",
        [
            *pairs,
            ["--aux", "--encodings", *SNAPSHOTS],
            ["--limit", "1", *SNAPSHOTS],
            ["--before-a", "flushdb", "--skip-command-b", "3", aof, aof],
        ],
    )


def test_digest():
    check_runs("digest", [*([path] for path in [*SMALL, *AOFS]), ["--until", "n:5", "--skip-command", "2", AOFS[0]]])


def test_replay():
    check_runs(
        "replay", [*([path] for path in [*AOFS, *CASES, *DAMAGED]), ["--until", "n:5", "--skip-command", "2", AOFS[0]]]
    )


def test_history():
    logs = [path for path in [*CASES, *DAMAGED] if path.suffix in {".aof", ".manifest"}]
    keys = run("dump", "-f", "keys", "-e", "utf8", AOFS[0]).out.decode().splitlines()[:20]
    assert keys
    rows = [*([path, "k"] for path in logs), *([AOFS[0], key] for key in keys)]
    check_runs("history", [*rows, [SNAPSHOTS[0], "h:small"], [AOFS[0], r"\xff"], ["--until", "n:5", AOFS[0], keys[0]]])
    some = [["--glob", "*"], ["-k", "1", "--exact-key", r"\xff"], ["k", "--exact-key", keys[0]], ["--glob", "none"]]
    check_runs("history", [[*words, path] for words in some for path in [*logs, SNAPSHOTS[0], AOFS[0]]])


def test_convert(tmp_path):
    rows = [["--allow-loss", "--target", "redis-5.0", path, tmp_path / f"{path.stem}.rdb"] for path in SMALL]
    to = [["--to", form, SMALL[0], tmp_path / f"to-{form}"] for form in ("rdb", "aof", "aof-dir", "resp", "jsonl")]
    check_runs("convert", [*rows, *to, ["-k", "^h", "--drop", "aux", SNAPSHOTS[0], tmp_path / "some.rdb"]])


def test_aof_rewrite(tmp_path):
    check_runs("aof-rewrite", [["-o", tmp_path / path.parent.name, path] for path in AOFS])


def test_dump_as_json_lines():
    seen = Counter()
    for path in [*SMALL, *CASES, *DAMAGED, *SNAPSHOTS, AOFS[0]]:
        for line in run("dump", "-f", "jsonl", path).out.splitlines():
            document = json.loads(line)
            kind = document.get("type") or next(iter(document))
            # All of the small files, and of each kind some in the large ones.
            seen[kind] += 1
            if path in SMALL or seen[kind] < 40:
                check("dump-jsonl", document)
    defined = set(SCHEMAS["dump-jsonl"]["$defs"]) - {"key", "group", "header"}
    assert set(seen) == defined | {"rdb", "set"}


@pytest.mark.parametrize("escape", ["utf8", "print", "base64"])
def test_dump_as_json(escape):
    for path in [*SMALL, *CASES, SNAPSHOTS[0]]:
        done = run("dump", "-f", "json", "-e", escape, path)
        # Of a damaged file what precedes the damage is printed, and the array stays open.
        if done.out.rstrip().endswith(b"]"):
            check("dump-json", json.loads(done.out))
        else:
            assert done.code, path


def test_what_has_another_shape_is_refused():
    report = json.loads(run("digest", "--json", SMALL[0]).out)
    for wrong in ({**report, "more": 1}, {**report, "keys": -1}, {**report, "schema": 2}):
        assert list(validator("digest").iter_errors(wrong))
    line = {"db": 0, "key": "k", "type": "hash", "encoding": "", "expire_at_ms": None, "value": ["f", "v"]}
    assert list(validator("dump-jsonl").iter_errors(line))
