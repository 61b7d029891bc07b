"""The harness itself: it damages what it says, and it notices what must not happen."""

import pytest
from corruption.damage import (
    Batch,
    Case,
    Outcome,
    check_batch,
    flips,
    mutations,
    rigged_files,
    run_batch,
    truncations,
    with_checksum,
)

DATA = bytes(range(50)) * 2


def test_truncations():
    assert [case.data for case in truncations(b"abc")] == [b"", b"a", b"ab"]


def test_flips():
    cases = list(flips(DATA))
    assert len({case.data for case in cases}) == 8 * len(DATA)
    for case in cases:
        changed = int.from_bytes(case.data) ^ int.from_bytes(DATA)
        assert changed.bit_count() == 1
        assert case.data[case.at] != DATA[case.at]


def test_mutations():
    cases = list(mutations(DATA, 1, 200))
    assert len(cases) == 200
    assert all(case.data != DATA for case in cases)
    assert [case.data for case in mutations(DATA, 1, 200)] == [case.data for case in cases]
    assert [case.data for case in mutations(DATA, 2, 200)] != [case.data for case in cases]


def test_rigged_files_differ_where_they_say():
    cases = list(rigged_files("integer", {"x": lambda real, arguments: b"\x01x"}))
    assert len(cases) > 5
    assert all(b"\x01x" in case.data[case.at - 1 : case.at + 2] for case in cases)


def test_a_sound_file_is_a_result():
    (row,) = run_batch([Case("sound", with_checksum(b"REDIS0011\xfe\x00\x00\x01k\x01v\xff"))], "codec").outcomes
    assert (row.kind, row.keys) == ("result", 1)


@pytest.mark.parametrize(
    "row",
    [
        Outcome("x", "failure", 0.0, 0, 0, "KeyError: 1"),
        Outcome("x", "error", 2.5, 0, 0, "at 0x1: expected", "FormatError", "RDB101", 1),
        Outcome("x", "error", 0.0, 0, 0, "expected", "FormatError", "RDB101", 1),
        Outcome("x", "error", 0.0, 0, 0, "at 0x1: expected", "FormatError", "RDB101", None),
        Outcome("x", "error", 0.0, 0, 0, "cannot open", "InputError"),
        Outcome("x", "result", 0.0, 0, 0),
    ],
)
def test_what_is_wrong_is_noticed(row):
    with pytest.raises(AssertionError):
        check_batch(Batch([row], 20), errors_only=True)


@pytest.mark.memory
def test_too_much_memory_is_noticed():
    with pytest.raises(AssertionError):
        check_batch(Batch([], 200))


def test_a_child_that_fails_is_laid_to_its_input():
    # A label that is no text ends the child when it reports the second case.
    cases = [Case("first", b""), Case(b"second", b"")]
    with pytest.raises(pytest.fail.Exception, match="exit code 1 at: b'second'"):
        run_batch(cases, "codec")
    with pytest.raises(pytest.fail.Exception, match=r"no end after 0\.01 s at: first"):
        run_batch(cases, "codec", patience=0.01)


@pytest.mark.memory
def test_the_limit_of_memory_holds():
    packed = b"\x00\x00" + b"\xe0\xff\x00" * 200_000
    sizes = b"\x80" + len(packed).to_bytes(4) + b"\x80" + (1 + 264 * 200_000).to_bytes(4)
    data = with_checksum(b"REDIS0011\xfe\x00\x00\x01k\xc3" + sizes + packed + b"\xff")
    roomy = run_batch([Case("52 MB", data)], "codec").outcomes[0]
    tight = run_batch([Case("52 MB", data)], "codec", address_space_mb=60).outcomes[0]
    assert (roomy.kind, tight.kind == "result") == ("result", False)


def test_any_other_exception_is_a_failure():
    (row,) = run_batch([Case("no such backend", b"REDIS0011")], "neither").outcomes
    assert row.kind == "failure"
    assert row.text.startswith("ValueError: ")
