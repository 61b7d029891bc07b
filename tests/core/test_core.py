"""Small parts that everything shares: progress, the state of a checksum, numbers by name."""

import pytest

from rdbtool.core.progress import polling, progress_after
from rdbtool.core.rdb_types import OPCODES, VALUE_TYPES, checksum_state, code_of, codes_of, since_of


def test_progress_goes_on_after_what_was_read_before():
    reported = []
    assert progress_after(None, 5) is None
    report = progress_after(reported.append, 5)
    assert report is not None
    report(2)
    assert reported == [7]


def test_a_guard_is_asked_before_progress_is_told():
    reported = []
    polling(lambda: reported.append("looked"), reported.append)(3)
    polling(lambda: reported.append("looked"), None)(4)
    assert reported == ["looked", 3, "looked"]


@pytest.mark.parametrize(
    ("version", "stored", "is_wrong", "state"),
    [
        (4, None, False, "none"),
        (5, 0, False, "disabled"),
        (11, 7, False, "correct"),
        (11, 7, True, "wrong"),
        (11, None, False, "unread"),
    ],
)
def test_checksum_states(version, stored, is_wrong, state):
    assert checksum_state(version, stored, is_wrong=is_wrong) == state


def test_names_of_types_and_opcodes_are_unique():
    names = [row.name for row in (*VALUE_TYPES, *OPCODES)]
    assert len(names) == len(set(names))
    assert code_of("EOF") == 255
    assert codes_of("SET_INTSET", "AUX") == {11, 250}
    assert since_of("STREAM_LISTPACKS_2") == 10
    with pytest.raises(KeyError):
        code_of("FROB")
