"""What the source of a function library says without being compiled: servers have the last word."""

import pytest
from server import ServerError

from rdbtool.core.functions import read_header, registers_nothing

CALL = b"redis.register_function('f', function() return 1 end)"

#: Bodies, and whether rdbtool knows that they register nothing.
BODIES = {
    CALL: False,
    b"local x = 1": True,
    b"": True,
    b"-- " + CALL: True,
    b"--[[ " + CALL + b" ]]": True,
    b"--[==[ ]] " + CALL + b" ]==] local y": True,
    b"--[[ ]] " + CALL: False,
    b"local s = '--' " + CALL: False,
    b'local s = "a\\\n--" ' + CALL: False,
    b"local s = [[ -- ]] " + CALL: False,
    b"redis. --[[ x ]] register_function('f', function() return 1 end)": False,
    b"redis['register' .. '_function']('f', function() return 1 end)": False,
    b"local r = redis r['register\\95function']('f', function() return 1 end)": False,
    b"redis.log(redis.LOG_NOTICE, 'x')": True,
    b"local s = 'register_function'": False,
    b"this is no lua(": True,
}


@pytest.mark.parametrize("body", BODIES)
def test_what_registers_nothing(body):
    assert registers_nothing(b"#!lua name=lib\n" + body) == BODIES[body]


@pytest.mark.server
@pytest.mark.parametrize("body", [body for body, is_known in BODIES.items() if is_known])
def test_servers_refuse_what_registers_nothing(redis_server, body):
    with pytest.raises(ServerError, match=r"No functions registered|Error compiling"):
        redis_server.client("FUNCTION", "LOAD", b"#!lua name=lib\n" + body)


@pytest.mark.server
@pytest.mark.parametrize("body", [body for body in BODIES if b"register" in body and not BODIES[body]])
def test_servers_may_load_the_others(redis_server, body):
    if body == b"local s = 'register_function'":
        with pytest.raises(ServerError, match="No functions registered"):
            redis_server.client("FUNCTION", "LOAD", b"#!lua name=lib\n" + body)
    else:
        assert redis_server.client("FUNCTION", "LOAD", b"#!lua name=lib\n" + body) == b"lib"


def test_the_header():
    assert read_header(b"#!lua name=lib\nx") == (b"lua", b"lib")
    for code in (b"", b"return 1", b"#!lua\nx", b"#!lua name=a-b\nx", b"#!lua name=a name=b\nx"):
        with pytest.raises(ValueError, match=r"^[A-Z]"):
            read_header(code)
