"""Commands whose effect, or whose order, is unknown: what each command of rdbtool does about them."""

import json

import pytest
from aof.logs import command
from command import FIXTURES, run

import rdbtool

CASES = FIXTURES / "cases" / "effects"

#: Name → the code of the finding, the key that may have been touched, and the JSON of what is known for sure.
UNKNOWN = {
    "xadd-star": ("CMD208", "x", {}),
    "spop": ("CMD208", "t", {"t": ["a", "b", "c"]}),
    "eval": ("CMD205", "b", {"a": "1", "b": "x"}),
    "unknown-command": ("CMD201", "b", {"a": "1"}),
    "vadd": ("CMD208", "vs", {"a": "1"}),
}


def dump(ran):
    lines = [json.loads(line) for line in ran.out.splitlines()]
    return {line["key"]: line["value"] for line in lines if "key" in line}


@pytest.mark.parametrize("name", UNKNOWN)
def test_readers_print_and_say_that_it_is_uncertain(name):
    code, _, known = UNKNOWN[name]
    path = CASES / f"{name}.aof"
    for words in (("dump", "-f", "jsonl"), ("digest",), ("info",), ("replay",)):
        ran = run(*words, path)
        assert ran.code == 1, words
        assert ran.out, words
        assert f"({code}): the dataset is uncertain" in ran.err, words
    ran = run("dump", "-f", "jsonl", path)
    assert dump(ran) == known


@pytest.mark.parametrize("name", UNKNOWN)
def test_nothing_is_written_or_compared(name, tmp_path):
    code = UNKNOWN[name][0]
    path = CASES / f"{name}.aof"
    for words in (("convert", path, tmp_path / "out.rdb"), ("aof-rewrite", path, "-o", tmp_path / "out.aof")):
        ran = run(*words)
        assert ran.code == 1
        assert f"({code}): the dataset is uncertain" in ran.err
        assert "verified" not in ran.err
    assert not list(tmp_path.iterdir())
    ran = run("diff", path, path)
    assert "\\n" not in ran.err
    assert ran.code == 3
    assert code in ran.err


@pytest.mark.parametrize("name", UNKNOWN)
def test_history_names_what_it_cannot_judge(name):
    code, key, _ = UNKNOWN[name]
    ran = run("history", "--json", CASES / f"{name}.aof", key)
    report = json.loads(ran.out)
    assert ran.code == 1
    assert f"({code}): the dataset is uncertain" in ran.err
    (unknown,) = report["unknown"]
    assert unknown["times"] == 1
    last = report["records"][-1]
    assert (last["number"], last["offset"]) == (unknown["number"], unknown["offset"])
    # A script of plain calls was executed, so it is known what these do.
    assert last["effects"] == (["created"] if name == "eval" else ["unknown"])


def test_history_lists_each_name_once(tmp_path):
    path = tmp_path / "log.aof"
    foreign = [command("JSON.SET", "k", "$", "1"), command("JSON.DEL", "other"), command("JSON.SET", "k", "$", "2")]
    multi = [command("MULTI"), command("TS.ADD", "k", "1", "2"), command("EXEC")]
    path.write_bytes(b"".join((command("SET", "a", "1"), *foreign, *multi)))
    ran = run("history", path, "k")
    assert ran.code == 1
    text = ran.out.decode()
    assert text.count("unknown (") == 3
    assert "JSON.SET: 2 times, the first in" in text
    assert "JSON.DEL: in" in text
    assert "TS.ADD: in" in text


@pytest.mark.parametrize("name", UNKNOWN)
def test_validate_warns_of_data_that_is_unknown(name):
    code = UNKNOWN[name][0]
    path = CASES / f"{name}.aof"
    ran = run("validate", "--json", path)
    assert ran.code == 0
    findings = json.loads(ran.out)["sources"][0]["findings"]
    assert [row["severity"] for row in findings if row["code"] == code] == ["warning"]
    assert run("validate", "--strict", path).code == 1
    # Only a server without the module, or the command, does not load it.
    assert run("validate", "--level", "server", path).code == (1 if name == "unknown-command" else 0)


def test_validate_keeps_modules_and_flipped_bits_apart(tmp_path):
    path = tmp_path / "log.aof"
    path.write_bytes(command("SET", "a", "1") + command("SDT", "a", "1"))
    assert run("validate", path).code == 1
    path.write_bytes(command("SET", "a", "1") + command("XGROUP", "CREATE.", "a", "1"))
    assert run("validate", path).code == 1
    ran = run("validate", CASES / "unknown-command.aof")
    assert "needs a module that provides FOO.SET" in ran.out.decode()


def test_validate_refuses_vector_sets_for_older_servers():
    path = CASES / "vadd.aof"
    assert run("validate", "--rules", "redis-8.0", path).code == 0
    for rules in ("redis-7.4", "valkey-9.0"):
        ran = run("validate", "--rules", rules, path)
        assert ran.code == 1
        assert "AOF202" in ran.out.decode()


SORTED = CASES / "sort-store.aof"
EXPECTED = {"t": ["a", "b", "c"], "dst": ["a", "b", "c"], "dst2": ["a", "b", "c"]}


@pytest.mark.parametrize("rules", ["redis-7.0", None])
def test_an_unknown_order_stops_no_rewrite(rules, tmp_path):
    named = () if rules is None else ("--rules", rules)
    for words in (("dump", "-f", "jsonl"), ("info",)):
        ran = run(*words, *named, SORTED)
        assert ran.code == 0
        assert "one order was used" in ran.err
    ran = run("dump", "-f", "jsonl", *named, SORTED)
    assert dump(ran) == EXPECTED
    for words in (("convert", SORTED, tmp_path / "out.rdb"), ("aof-rewrite", SORTED, "-o", tmp_path / "out.aof")):
        ran = run(*words, *named)
        assert ran.code == 0
        assert "one order was used" in ran.err
    assert dump(run("dump", "-f", "jsonl", tmp_path / "out.aof")) == EXPECTED
    for words, code in ((("digest",), 1), (("replay",), 1)):
        ran = run(*words, *named, SORTED)
        assert ran.code == code
        assert "(CMD209): the dataset is uncertain" in ran.err
    assert run("diff", *named, SORTED, SORTED).code == 3


@pytest.mark.parametrize("rules", ["redis-7.2", "redis-8.0", "valkey-8.1"])
def test_the_order_of_a_listpack_is_known(rules, tmp_path):
    assert run("digest", "--rules", rules, SORTED)[::2] == (0, "")
    assert run("validate", "--strict", "--rules", rules, SORTED).code == 0
    assert run("diff", "--rules", rules, SORTED, SORTED).code == 0
    ran = run("aof-rewrite", "--rules", rules, SORTED, "-o", tmp_path / "out.aof")
    assert ran.code == 0
    assert "order" not in ran.err


def test_python_tells_errors_and_unknown_effects_apart():
    report = rdbtool.replay(str(CASES / "spop.aof"), rules="redis-7.0")
    assert [finding.code for finding in report.doubts] == ["CMD208"]
    engine = rdbtool.Engine(rules="redis-7.0")
    engine.execute(b"SADD", b"t", b"a", b"b")
    with pytest.raises(rdbtool.UnknownEffectError):
        engine.execute(b"SPOP", b"t")
    with pytest.raises(rdbtool.CommandError) as caught:
        engine.execute(b"GETSET", b"t", b"a")
    assert not isinstance(caught.value, rdbtool.UnknownEffectError)
