"""What leaves a file beside its keys: functions, scripts, modules' data; what stays behind, and what is said of it."""

import hashlib
import json

import pytest
from aof.logs import command
from codec.commands import read_commands as parse
from command import FIXTURES, run
from server import ServerError

from rdbtool.dataset.forms import PRINTED

CASES = FIXTURES / "cases" / "leaves"
FUNCTIONS = CASES / "keys-and-functions.rdb"
SCRIPTS = CASES / "lua-aux.rdb"
MODULE = CASES / "module-aux.rdb"

SCRIPT = b"return redis.call('get', KEYS[1])"
SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()


def commands_of(*words):
    ran = run("dump", "-f", "resp", *words)
    assert ran.code == 0, ran.err
    return list(parse(ran.out)), ran.err


def lines_of(path, *words):
    ran = run("dump", "-f", "jsonl", *words, path)
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()], ran.err


# ---- key filters -----------------------------------------------------------------------------------

FILTERS = [("-k", "^cart:1$"), ("--glob", "cart:*"), ("-K", "stock"), ("-n", "0"), ("-N", "3"), ("--limit", "1"),
           ("-t", "string"), ("-T", "module"), ("--slot", "0-16383")]  # fmt: skip


@pytest.mark.parametrize("words", FILTERS, ids=" ".join)
def test_with_a_key_filter_only_keys_are_written(words):
    commands, said = commands_of("--replace", *words, FUNCTIONS)
    assert {row[0] for row in commands} == {b"SELECT", b"SET"}
    assert "1 function library" in said
    assert said.count("\n") == 1
    lines, said = lines_of(FUNCTIONS, *words)
    assert not any("function" in line for line in lines)
    # Who wrote the file belongs to its header.
    assert [line["aux"][0] for line in lines if "aux" in line] == ["redis-ver", "redis-bits", "aof-base"]
    assert "1 function library" in said


def test_functions_come_along_where_they_are_asked_for():
    commands, said = commands_of("-k", "^cart:1$", "--functions", "--replace", FUNCTIONS)
    assert (commands[0][:3], said) == ([b"FUNCTION", b"LOAD", b"REPLACE"], "")
    lines, said = lines_of(FUNCTIONS, "-k", "^cart:1$", "--functions")
    assert (sum("function" in line for line in lines), said) == (1, "")


@pytest.mark.parametrize("form", PRINTED)
def test_forms_without_functions_refuse_to_promise_them(form):
    ran = run("dump", "-f", form, "--functions", FUNCTIONS)
    if form in {"jsonl", "resp"}:
        assert (ran.code, ran.out.count(b"#!lua")) == (0, 1)
    else:
        assert (ran.code, ran.out) == (2, b"")
        assert f"it is for jsonl and resp, not for {form}" in ran.err


def test_lines_of_keys_only_have_no_functions():
    ran = run("dump", "-f", "jsonl", "--keys-only", "--functions", FUNCTIONS)
    assert (ran.code, ran.out) == (2, b"")
    assert "--keys-only leaves functions out" in ran.err


def test_expiry_is_no_key_filter():
    commands, said = commands_of("--no-expired", FUNCTIONS)
    assert (commands[0][0], said) == (b"FUNCTION", "")


def test_functions_stay_behind_on_request():
    commands, said = commands_of("--no-functions", FUNCTIONS)
    assert {row[0] for row in commands} == {b"SELECT", b"SET"}
    assert said == "rdbtool: dropped on request: 1 function library\n"


def test_convert_leaves_behind_what_is_no_key(tmp_path):
    ran = run("convert", MODULE, tmp_path / "new.rdb", "-T", "module", "--json")
    report = json.loads(ran.out)
    assert (ran.code, report["losses"], report["left_behind"]) == (0, [], {"module-aux": 1})
    assert json.loads(run("info", "--json", tmp_path / "new.rdb").out)["needs"] == {"modules": [], "libraries": []}
    ran = run("convert", MODULE, tmp_path / "all.rdb", "-T", "module", "--functions", "--json")
    assert json.loads(ran.out)["left_behind"] == {}
    assert json.loads(run("info", "--json", tmp_path / "all.rdb").out)["needs"]["modules"][0]["aux"] == 1


def test_the_other_formats_have_nothing_beside_keys():
    for form in ("keys", "csv", "table", "json"):
        assert run("dump", "-f", form, "-k", "cart", FUNCTIONS).err == ""


# ---- --drop ----------------------------------------------------------------------------------------


def test_drop(tmp_path):
    source = FIXTURES / "redis-7.0.15" / "default.rdb"
    new = tmp_path / "new.rdb"
    ran = run("convert", source, new, "--drop", "functions", "--drop", "groups", "--drop", "aux", "--json")
    report = json.loads(ran.out)
    assert set(report["dropped"]) == {"aux", "functions", "groups"}
    before, after = (
        [json.loads(line) for line in run("dump", "-f", "jsonl", path).out.splitlines()] for path in (source, new)
    )
    assert not [line for line in after if "function" in line]
    # What role a file has is not the source's to say.
    assert {line["aux"][0] for line in after if "aux" in line} <= {"aof-base", "aof-preamble"}
    groups = [line["value"].pop("groups") for line in before if line.get("type") == "stream"]
    kept = [line["value"].pop("groups") for line in after if line.get("type") == "stream"]
    assert report["dropped"]["groups"] == sum(map(len, groups)) > 0
    assert not any(kept)

    def values(lines):
        return {(line["db"], line["key"]): line["value"] for line in lines if isinstance(line.get("key"), str)}

    assert values(before) == values(after)
    assert run("validate", "--strict", new).code == 0


def test_drop_of_commands(tmp_path):
    _, said = commands_of("--drop", "functions", FUNCTIONS)
    assert said == "rdbtool: dropped on request: 1 function library\n"
    commands, said = commands_of("--drop", "scripts", SCRIPTS)
    assert b"SCRIPT" not in {row[0] for row in commands}
    assert said == "rdbtool: dropped on request: 1 script\n"
    _, said = commands_of("--drop", "module:scdtype00", MODULE)
    assert said == "rdbtool: dropped on request: 1 piece of module data outside the keys\n"


def test_drop_of_groups_of_payloads():
    source = FIXTURES / "redis-7.0.15" / "default.rdb"
    commands, _ = commands_of("--restore", "--drop", "groups", "-t", "stream", source)
    plain, _ = commands_of("--restore", "-t", "stream", source)
    assert sum(len(row[3]) for row in commands if row[0] == b"RESTORE") < sum(
        len(row[3]) for row in plain if row[0] == b"RESTORE"
    )


def test_drop_of_a_modules_keys(tmp_path):
    source = tmp_path / "module.jsonl"
    value = {"module": "scdtype00", "raw": {"base64": "gbHHbcqXtNABAA=="}}
    other = {"module": "sdddype00", "raw": {"base64": "gbHXXcqXtNABAA=="}}
    rows = [
        {"rdb": {"magic": "REDIS", "version": 11}},
        {"db": 0, "key": "m", "type": "module", "encoding": "module", "expire_at_ms": 5, "value": value},
        {"db": 0, "key": "s", "type": "string", "encoding": "raw", "expire_at_ms": None, "value": "v"},
        {"db": 0, "key": "o", "type": "module", "encoding": "module", "expire_at_ms": None, "value": other},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ran = run("convert", source, tmp_path / "new.rdb", "--drop", "module:scdtype00", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["dropped"] == {"module-keys": 1}
    assert run("dump", "-f", "keys", tmp_path / "new.rdb").out == b"s\no\n"
    needs = json.loads(run("info", "--json", tmp_path / "new.rdb").out)["needs"]["modules"]
    assert [(row["name"], row["keys"]) for row in needs] == [("sdddype00", 1)]


@pytest.mark.parametrize("part", ["function", "module:", "module:short", ""])
def test_what_cannot_be_dropped(part):
    ran = run("convert", FUNCTIONS, "new.rdb", "--drop", part)
    assert (ran.code, ran.out) == (2, b"")
    assert run("dump", "-f", "csv", "--drop", "aux", FUNCTIONS).code == 2


# ---- scripts ---------------------------------------------------------------------------------------


def test_scripts_are_loaded_by_commands(tmp_path):
    commands, said = commands_of(SCRIPTS)
    assert (commands[0], said) == ([b"SCRIPT", b"LOAD", SCRIPT], "")
    ran = run("convert", SCRIPTS, tmp_path / "new.aof", "--json")
    assert (ran.code, json.loads(ran.out)["losses"]) == (0, [])
    assert (tmp_path / "new.aof").read_bytes().startswith(command("SCRIPT", "LOAD", SCRIPT))
    # And back: the script is part of the dataset.
    ran = run("convert", tmp_path / "new.aof", tmp_path / "back.rdb", "--target", "redis-6.2", "--json")
    assert ran.code == 0
    assert run("diff", "--aux", SCRIPTS, tmp_path / "back.rdb").out.count(b"lua") == 0
    assert b"return redis.call" in run("info", tmp_path / "back.rdb").out
    # A rewrite keeps it.
    ran = run("aof-rewrite", tmp_path / "new.aof", "-o", tmp_path / "again.aof", "--target", "redis-6.2")
    assert ran.code == 0
    assert (tmp_path / "again.aof").read_bytes().startswith(command("SCRIPT", "LOAD", SCRIPT))


def test_a_script_that_was_flushed_is_gone(tmp_path):
    log = tmp_path / "x.aof"
    log.write_bytes(command("SCRIPT", "LOAD", SCRIPT) + command("SCRIPT", "FLUSH") + command("SET", "a", "1"))
    assert [row[0] for row in commands_of(log)[0]] == [b"SELECT", b"SET"]


@pytest.mark.parametrize("target", ["redis-7.2", "redis-7.0", "valkey-8.1", "valkey-9", "redis-3.2"])
def test_scripts_that_servers_pass_over_are_a_loss(tmp_path, target):
    ran = run("convert", SCRIPTS, tmp_path / "new.rdb", "--target", target)
    assert (ran.code, ran.out) == (1, b"")
    assert SHA in ran.err
    assert not (tmp_path / "new.rdb").exists()
    ran = run("convert", SCRIPTS, tmp_path / "new.rdb", "--target", target, "--allow-loss", "--json")
    assert [row["what"] for row in json.loads(ran.out)["losses"]] == [f"the script {SHA}"]
    assert run("convert", SCRIPTS, tmp_path / "dropped.rdb", "--target", target, "--drop", "scripts").code == 0


def test_scripts_stay_where_servers_load_them(tmp_path):
    assert run("convert", SCRIPTS, tmp_path / "new.rdb").code == 0
    assert b"return redis.call" in run("info", tmp_path / "new.rdb").out


@pytest.mark.server
def test_a_server_has_the_script(start_server, redis_server, tmp_path):
    ran = run("dump", "-f", "resp", SCRIPTS)
    redis_server.client.pipeline(ran.out, len(list(parse(ran.out))))
    assert redis_server.client("SCRIPT", "EXISTS", SHA) == [1]
    words = ("--to", "aof-dir", "--target", "redis-7.0")
    assert run("convert", SCRIPTS, tmp_path / "appendonlydir", *words).code == 1
    assert run("convert", SCRIPTS, tmp_path / "appendonlydir", *words, "--no-preamble").code == 0
    files = {"appendonlydir": tmp_path / "appendonlydir"}
    with start_server(files=files, config={"appendonly": "yes"}) as running:
        assert running.client("SCRIPT", "EXISTS", SHA) == [1]
        assert running.client("DBSIZE") == 21


# ---- RESTORE ---------------------------------------------------------------------------------------

NEWEST = FIXTURES / "redis-8.0.6" / "default.rdb"
SOURCES = [
    "redis-2.8.24/default.rdb",
    "redis-5.0.14/default.rdb",
    "redis-6.2.16/aof-preamble.aof",
    "redis-7.0.15/default.rdb",
    "redis-7.0.15/aof-plain",
]


@pytest.mark.server
@pytest.mark.parametrize("name", SOURCES)
def test_payloads_for_a_server(redis_server, name):
    source = FIXTURES / name
    digests = json.loads((FIXTURES / "digests.json").read_text())
    server, _, file = name.partition("/")
    for target in ("redis-7.0", "redis-6.2"):
        redis_server.client("FLUSHALL")
        redis_server.client("FUNCTION", "FLUSH")
        ran = run("dump", "-f", "resp", "--restore", "--target", target, "--allow-loss", source)
        assert ran.code == 0
        commands = list(parse(ran.out))
        assert {row[3][-10:-8] for row in commands if row[0] == b"RESTORE"} == {
            b"\x0a\0" if target == "redis-7.0" else b"\x09\0"
        }
        redis_server.client.pipeline(ran.out, len(commands))
        assert redis_server.digest() == digests[server][file]


@pytest.mark.server
def test_payloads_of_a_newer_server_are_written_for_the_older(redis_server):
    ran = run("dump", "-f", "resp", "--restore", "-K", "ttl|exp", NEWEST)
    first = next(row for row in parse(ran.out) if row[0] == b"RESTORE")
    with pytest.raises(ServerError, match="payload version or checksum"):
        redis_server.client(*first)
    words = ("--restore", "--target", "redis-7.0", "--allow-loss")
    ran = run("dump", "-f", "resp", *words, NEWEST)
    commands = list(parse(ran.out))
    redis_server.client.pipeline(ran.out, len(commands))
    assert sum(row[0] == b"RESTORE" for row in commands) > 40
    with pytest.raises(ServerError, match="already exists"):
        redis_server.client(*next(row for row in commands if row[0] == b"FUNCTION"))
    # Over data that is there: refused without --replace.
    redis_server.client(*next(row for row in commands if row[0] == b"SELECT"))
    with pytest.raises(ServerError, match="BUSYKEY"):
        redis_server.client(*next(row for row in commands if row[0] == b"RESTORE"))
    ran = run("dump", "-f", "resp", *words, "--replace", NEWEST)
    redis_server.client.pipeline(ran.out, len(list(parse(ran.out))))


def test_what_a_target_cannot_hold_is_refused_by_name():
    ran = run("dump", "-f", "resp", "--restore", "--target", "redis-4.0", "-t", "stream", NEWEST)
    assert ran.code == 1
    assert "cannot hold a stream" in ran.err
    ran = run("dump", "-f", "resp", "--target", "redis-4.0", "--allow-loss", "-t", "stream", NEWEST)
    assert (ran.code, ran.out) == (0, b"")
    assert "lost: a stream" in ran.err
    ran = run("dump", "-f", "resp", "--restore", "--target", "redis-2.4", NEWEST)
    assert ran.code == 2


def test_old_servers_take_expiry_by_another_command(tmp_path):
    source = tmp_path / "x.aof"
    source.write_bytes(command("SET", "a", "1") + command("PEXPIREAT", "a", "4102444800000"))
    commands, _ = commands_of("--restore", "--replace", "--target", "redis-2.8", source)
    assert [row[0] for row in commands] == [b"SELECT", b"DEL", b"RESTORE", b"PEXPIREAT"]
    commands, _ = commands_of("--restore", "--replace", "--target", "redis-5.0", source)
    assert commands[1][0:3] == [b"RESTORE", b"a", b"4102444800000"]
    assert commands[1][4:] == [b"REPLACE", b"ABSTTL"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("redis-2.8.24", [b"DEL", b"RESTORE", b"PEXPIREAT"]),
        ("redis-4.0.14", [b"RESTORE", b"PEXPIREAT"]),
        ("redis-5.0.14", [b"RESTORE"]),
    ],
)
def test_payloads_of_a_source_have_the_words_of_its_writer(name, words):
    source = FIXTURES / name / "default.rdb"
    lines, _ = lines_of(source)
    key = next(line["key"] for line in lines if line.get("expire_at_ms"))
    commands, _ = commands_of("--restore", "--replace", "-k", f"^{key}$", source)
    assert [row[0] for row in commands[1:]] == words
    assert (b"ABSTTL" in commands[-1]) == (len(words) == 1)


@pytest.mark.server
def test_servers_take_idle_time_or_frequency_but_not_both(redis_server, tmp_path):
    source = tmp_path / "x.jsonl"
    row = {"db": 0, "key": "k", "type": "string", "value": "v", "idle_s": 7, "freq": 3}
    head = {"rdb": {"magic": "REDIS", "version": 10}}
    source.write_text(f"{json.dumps(head)}\n{json.dumps(row)}\n")
    assert run("convert", source, tmp_path / "x.rdb").code == 0
    for path in (source, tmp_path / "x.rdb"):
        ran = run("dump", "-f", "resp", "--restore", "--replace", path)
        redis_server.client.pipeline(ran.out, len(list(parse(ran.out))))
    assert redis_server.client("OBJECT", "IDLETIME", "k") >= 7


def test_a_newer_form_is_chosen_where_the_data_of_a_log_needs_it(tmp_path):
    log = tmp_path / "x.aof"
    log.write_bytes(command("HSET", "h", "f", "v") + command("HPEXPIREAT", "h", "4102444800000", "FIELDS", "1", "f"))
    commands, _ = commands_of("--restore", "--rules", "redis-7.4", log)
    assert commands[1][3][-10:-8] == b"\x0c\0"


def test_module_data_that_no_command_tells_is_named():
    commands, said = commands_of(MODULE)
    assert [row[0] for row in commands] == [b"SELECT", b"SET"]
    assert said == "rdbtool: lost: module data outside the keys, which no command can write\n"
    ran = run("dump", "-f", "resp", "--target", "redis-7.2", MODULE)
    assert ran.code == 1
    assert "scdtype00" in ran.err


# ---- needs -----------------------------------------------------------------------------------------


def test_info_names_what_a_server_needs():
    report = json.loads(run("info", "--json", MODULE).out)
    assert report["needs"] == {
        "modules": [{"name": "scdtype00", "keys": 0, "aux": 1, "built_in": None}],
        "libraries": [],
    }
    assert b"scdtype00" in run("info", MODULE).out
    report = json.loads(run("info", "--json", FUNCTIONS).out)
    assert report["needs"] == {"modules": [], "libraries": [{"name": "shop", "engine": "lua"}]}
    assert b"needs         the engine lua for the function library shop\n" in run("info", FUNCTIONS).out


def test_a_log_needs_what_its_snapshot_does(tmp_path):
    log = tmp_path / "x.aof"
    data = MODULE.read_bytes().replace(b"\xfa\tredis-ver", b"\xfa\x0caof-preamble\xc0\x01\xfa\tredis-ver")
    log.write_bytes(data[:-8] + bytes(8) + command("SET", "b", "2"))
    report = json.loads(run("info", "--json", log).out)
    assert [row["name"] for row in report["needs"]["modules"]] == ["scdtype00"]
    # And keeps it on its way.
    assert run("convert", log, tmp_path / "new.rdb").code == 0
    assert json.loads(run("info", "--json", tmp_path / "new.rdb").out)["needs"]["modules"][0]["aux"] == 1


def test_validate_names_modules():
    [finding] = json.loads(run("validate", "--json", MODULE).out)["sources"][0]["findings"]
    assert (finding["code"], finding["severity"]) == ("RDB357", "note")
    assert "scdtype00" in finding["message"]
    ran = run("validate", "--json", "--level", "server", MODULE)
    [finding] = json.loads(ran.out)["sources"][0]["findings"]
    assert (ran.code, finding["code"], finding["severity"]) == (0, "RDB357", "warning")
    assert "only a server with a module" in finding["message"]
    assert run("validate", "--strict", "--level", "server", MODULE).code == 1


@pytest.mark.parametrize(
    ("name", "code", "finding"), [("good", 0, "RDB344"), ("nofunc", 1, "RDB345"), ("syntax", 1, "RDB345")]
)
def test_validate_says_what_is_known_of_libraries(name, code, finding):
    ran = run("validate", "--json", CASES / "functions" / f"{name}.rdb")
    assert (ran.code, [row["code"] for row in json.loads(ran.out)["sources"][0]["findings"]]) == (code, [finding])
