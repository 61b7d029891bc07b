"""Verdicts, codes and exit codes hang on causes, not on words: with the text of every message replaced, they stay."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command import run
from sampling import IS_WHOLE, SEED
from validate.payloads import PAYLOADS
from validate.sources import command, log, make_sources
from validate.test_levels import MATRIX
from validate.test_rules import CASES

from rdbtool.core.errors import Finding, FormatError, Loss, RdbToolError
from rdbtool.core.location import Where
from rdbtool.core.servers import Rules
from rdbtool.engine.command_errors import CommandError
from rdbtool.grammar.refusal import RefusalError
from rdbtool.io.decompress import DamagedStreamError
from rdbtool.io.lzf import LzfError
from rdbtool.operations.repair.run import repair
from rdbtool.operations.salvage.input import Lost
from rdbtool.operations.validate.batch import code_of, validate_input
from rdbtool.operations.validate.checks.file_rules import Remark
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.jsonl.line_fields import Refusal

NOW_MS = 1_800_000_000_000

#: Who is asked, and how: servers that look into packed values, that walk over streams, and that do neither.
ASKED = [
    Checks(now_ms=NOW_MS),
    *(
        Checks("server", rules, now_ms=NOW_MS)
        for rules in (Rules("redis", 6, 2), Rules("redis", 8, 0), Rules("valkey", 9, 1))
    ),
]

#: Cuts, and flipped bits, of each file of each small source.
DAMAGES = 2

#: Of so many specimens, the commands are given one.
_EVERY = 12

#: Logs that the small sources do not have: commands that servers refuse, lines that only some readers accept.
ODD_LOGS = {
    "unknown": log("SET a 1", "FROB x", "XGROUP FROB x", "SET b 2"),
    "arity": log("SET a 1", "SET x", "APPEND x y z"),
    "newer": log("SET a 1", "COPY a b", "DELIFEQ a b"),
    "replies": log("SET a x", "LPUSH a 1", "INCR a", "SELECT 99", "EXEC", "DISCARD", "SPOP a", "EVAL return 0"),
    "late": b"#TS:1700000009\r\n" + log("SET a 1") + b"#TS:1700000000\r\n" + log("SET b 1"),
    "open": log("SET a 1", "MULTI", "SET b 1"),
    "line ends": command("SET", "a", "1").replace(b"\r\n", b"\n") + log("SET b 2"),
    "numbers": b"*0\r\n" + log("SET a 1") + b"*1\r\n$-1\r\n" + log("SET b 2") + b"*x\r\n" + log("SET c 3"),
}


class Outcome(NamedTuple):
    """What was made of one source; nothing in it is words."""

    name: str
    verdicts: tuple[Any, ...]
    repaired: Any


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return every source of these tests: sound ones, corrupt ones, and some damage to each small one."""
    directory = tmp_path_factory.mktemp("specimens")
    made = {f"matrix-{index}.rdb": data for index, (data, _, _) in enumerate(MATRIX.values())}
    made |= {f"case-{index}.rdb": case.data for index, case in enumerate(CASES)}
    made |= {f"payload-{index}.rdb": payload.file for index, payload in enumerate(PAYLOADS)}
    made |= {f"odd-{index}.aof": data for index, data in enumerate(ODD_LOGS.values())}
    for name, data in made.items():
        (directory / name).write_bytes(data)
    small = directory / "small"
    small.mkdir()
    sources = [path for _, path in make_sources(small)]
    rng = random.Random(1)
    damaged = [path for source in sources for path in damage(source, directory, rng)]
    return [*(directory / name for name in made), *sources, *damaged]


def damage(source: Path, directory: Path, rng: random.Random) -> Iterator[Path]:
    """Write copies of a source, each with a file that was cut or has a flipped bit."""
    for file in sorted(source.iterdir()) if source.is_dir() else [source]:
        data = file.read_bytes()
        for index in range(2 * DAMAGES if data else 0):
            at = rng.randrange(len(data))
            flipped = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
            copy = directory / f"damaged-{source.stem}-{file.name}-{index}{file.suffix}"
            if source.is_dir():
                shutil.copytree(source, copy)
            target = copy / file.name if source.is_dir() else copy
            target.write_bytes(data[:at] if index % 2 else flipped)
            yield copy


def outcome(number: int, path: Path, result: Path) -> Outcome:
    # Of the servers one is asked, another one each day.
    asked = ASKED if IS_WHOLE else [ASKED[0], ASKED[1 + (number + SEED) % (len(ASKED) - 1)]]
    verdicts = tuple(_judged(path, checks) for checks in asked)
    return Outcome(path.name, verdicts, _repaired(path, result))


def _judged(path: Path, checks: Checks) -> tuple[Any, ...]:
    validated = validate_input(str(path), checks)
    verdict = validated.verdict
    codes = code_of(validated, strict=False), code_of(validated, strict=True)
    numbers = verdict.kind, verdict.answer, verdict.counts, verdict.keys, verdict.checksum, verdict.is_counted
    return codes, numbers, [_place(row) for row in verdict.findings]


def _place(row: Finding) -> tuple[Any, ...]:
    return row.code, row.severity, row.part, row.offset, row.number, row.db, row.key, row.kind


def _repaired(path: Path, result: Path) -> tuple[Any, ...]:
    try:
        done = repair(str(path), str(result))
    except RdbToolError as error:
        return type(error).__name__, error.exit_code
    lost = [(row.code, row.part, row.start, row.stop, row.db, row.key, row.is_kept) for row in done.lost]
    files = sorted(result.rglob("*")) if result.is_dir() else [result] if result.exists() else []
    written = [(file.name, file.read_bytes()) for file in files]
    if result.is_dir():
        shutil.rmtree(result)
    else:
        result.unlink(missing_ok=True)
    return done.kind, done.is_saved, done.keys, done.commands, done.checksum, done.foreign, lost, written


def reword(patch: pytest.MonkeyPatch) -> None:
    """Replace the text of every message, and of every path inside a value, by words that never come twice."""
    numbers = count()

    def words() -> str:
        return f"words {next(numbers)}"

    def blur_row(row: Any, *names: str) -> None:
        new, at = row.__new__, [row._fields.index(name) for name in names]

        def make(cls: Any, values: Any) -> Any:
            fields = list(values)
            for index in at:
                fields[index] = words() if fields[index] else fields[index]
            return tuple.__new__(cls, fields)

        patch.setattr(row, "__new__", staticmethod(lambda cls, *args, **kwds: make(cls, new(cls, *args, **kwds))))
        patch.setattr(row, "_make", classmethod(make))

    def blur_error(error: Any, *names: str) -> None:
        begin = error.__init__

        def blurred(self: Any, *args: Any, **kwds: Any) -> None:
            begin(self, *args, **kwds)
            self.args = (words(),)
            for name in names:
                setattr(self, name, words())

        patch.setattr(error, "__init__", blurred)

    blur_row(Finding, "message", "server", "path")
    blur_row(Lost, "message")
    blur_row(Loss, "what")
    blur_row(Remark, "message")
    blur_row(Where, "path")
    blur_error(RdbToolError)
    blur_error(CommandError)
    for error in (FormatError, RefusalError, Refusal, LzfError, DamagedStreamError):
        blur_error(error, "expected", "found")


def test_words_decide_nothing(specimens: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [outcome(number, path, tmp_path / "result") for number, path in enumerate(specimens)]
    codes = {row[0] for told in plain for _, _, findings in told.verdicts for row in findings}
    assert len(codes) >= 90
    reword(monkeypatch)
    assert all(row.message.startswith("words ") for row in validate(specimens[0]).findings)
    for number, (path, before) in enumerate(zip(specimens, plain, strict=True)):
        assert outcome(number, path, tmp_path / "result") == before


@pytest.mark.parametrize("arguments", [["validate", "--level=server"], ["repair", "--dry-run"], ["info"], ["digest"]])
def test_words_decide_no_exit_code(
    arguments: list[str], specimens: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = specimens[::_EVERY]
    plain = [run(*arguments, path).code for path in some]
    assert len(set(plain)) > 1
    reword(monkeypatch)
    assert [run(*arguments, path).code for path in some] == plain
