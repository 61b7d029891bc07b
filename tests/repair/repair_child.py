"""The child of ``test_repair_sound``: repairs what is left of a source after cuts and flips.

    python repair_child.py SEED RESULT SOURCE FILE...     (SOURCE is FILE, or the directory that it belongs to)

SEED 0 asks for every second cut and every third flip; any other for a choice of ``MOST`` of them a file.

Prints one line of JSON: how often something was saved, nothing was, or the source refused; what was wrong; the peak
of resident memory in MiB.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from rdbtool.core.errors import RdbToolError
from rdbtool.operations.repair.report import RepairOptions
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks

ADDRESS_SPACE = 512 << 20
#: Of processor time: how busy the machine is has no say.
SECONDS = 2.0
MOST = 40
CHECKS = Checks(replay=False, databases=1 << 64)


def damages(data: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    cuts, flips = list(range(0, len(data), 2)), list(range(0, len(data) * 8, 3))
    if seed:
        random = Random(f"{seed} {len(data)}")
        cuts = sorted(random.sample(cuts, min(len(cuts), MOST // 4)))
        flips = sorted(random.sample(flips, min(len(flips), MOST)))
    for size in cuts:
        yield f"cut at {size}", data[:size]
    changed = bytearray(data)
    for number in flips:
        at, bit = divmod(number, 8)
        changed[at] ^= 1 << bit
        yield f"flip of bit {bit} at {at}", bytes(changed)
        changed[at] ^= 1 << bit


def compare(source: Path, result: Path) -> tuple[str, str | None]:
    """Return what came of a repair, and what is wrong with that."""
    began = time.process_time()
    try:
        # A flip makes names that somebody may have given.
        done = repair(str(source), str(result), RepairOptions(drop_unknown=True))
    except RdbToolError as error:
        return "refused", None if error.exit_code == 4 else str(error)
    if (taken := time.process_time() - began) > SECONDS:
        return "saved", f"it took {taken:.1f} s"
    if not done.is_saved:
        return "nothing", "something was written" if result.exists() else None
    verdict = validate(str(result), CHECKS)
    wrong = verdict.error or next((str(row) for row in verdict.findings if row.severity == "error"), None)
    if result.is_dir():
        shutil.rmtree(result)
    else:
        result.unlink()
    return "saved", wrong


def main() -> None:
    seed = int(sys.argv[1])
    result, source, *files = map(Path, sys.argv[2:])
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    answers: Counter[str] = Counter(saved=0, nothing=0, refused=0)
    wrong = []
    for file in files:
        whole = file.read_bytes()
        for label, data in damages(whole, seed):
            file.write_bytes(data)
            try:
                answer, fault = compare(source, result)
            except Exception:  # noqa: BLE001 - whatever it is, it is the failure that is looked for
                wrong.append(f"{file.name}: {label}: {traceback.format_exc()}")
                continue
            answers[answer] += 1
            if fault is not None:
                wrong.append(f"{file.name}: {label}: {fault}")
        file.write_bytes(whole)
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    print(json.dumps({**answers, "wrong": wrong, "peak": peak}))


main()
