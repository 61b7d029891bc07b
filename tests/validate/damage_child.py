"""The child of ``test_damage``: judges truncations and flips of the sources that it is given.

    python damage_child.py SEED SOURCE...     (a directory is a log of several files, each of which is damaged)

SEED 0 asks for every truncation and every flip; any other for a choice of ``CUTS`` and ``FLIPS`` of them a file.

Prints a line of JSON for each source: how often each answer came, what was wrong with it, and the peak of resident
memory in MiB until then.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from rdbtool.core.codes import BY_CODE
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks

ADDRESS_SPACE = 512 << 20
SECONDS = 2.0
NOW_MS = 1_800_000_000_000
CUTS, FLIPS = 40, 120


def damages(data: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    cuts, flips = list(range(len(data))), list(range(8 * len(data)))
    if seed:
        random = Random(f"{seed} {len(data)}")
        cuts = sorted(random.sample(cuts, min(len(cuts), CUTS)))
        flips = sorted(random.sample(flips, min(len(flips), FLIPS)))
    for size in cuts:
        yield f"cut at {size}", data[:size]
    changed = bytearray(data)
    for number in flips:
        at, bit = divmod(number, 8)
        changed[at] ^= 1 << bit
        yield f"flip of bit {bit} at {at}", bytes(changed)
        changed[at] ^= 1 << bit


def check(source: Path, checks: Checks, seed: int) -> dict[str, object]:
    """Damage a source in all ways, one after the other, and return what came of it."""
    files = [path for path in sorted(source.iterdir()) if path.stat().st_size] if source.is_dir() else [source]
    answers: dict[str, Counter[str]] = {"cut": Counter(), "flip": Counter()}
    wrong = []
    unreported = []
    for file in files:
        whole = file.read_bytes()
        for label, data in damages(whole, seed):
            target: bytes | str = data
            if source != file:
                file.write_bytes(data)
                target = str(source)
            began = time.process_time()
            try:
                verdict = validate(target, checks)
            except Exception:  # noqa: BLE001 - whatever it is, it is the failure that is looked for
                wrong.append(f"{file.name}: {label}: {traceback.format_exc()}")
                continue
            if time.process_time() - began > SECONDS:
                wrong.append(f"{file.name}: {label}: it took {time.process_time() - began:.1f} s")
            if any(finding.code not in BY_CODE for finding in verdict.findings):
                wrong.append(f"{file.name}: {label}: a code that is in no table")
            if (verdict.answer == "invalid") != bool(verdict.counts["error"]):
                wrong.append(f"{file.name}: {label}: {verdict.answer} with {verdict.counts}")
            answers[label.partition(" ")[0]][verdict.answer] += 1
            if verdict.answer == "valid":
                unreported.append(f"{file.name}: {label}")
        if source != file:
            file.write_bytes(whole)
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    return {"answers": answers, "wrong": wrong, "unreported": unreported, "peak": peak}


def main() -> None:
    seed, sources = int(sys.argv[1]), [Path(word) for word in sys.argv[2:]]
    checks = Checks(now_ms=NOW_MS)
    for source in sources:
        # What is imported only now would count for the memory of the first damage.
        validate(str(source), checks)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for source in sources:
        print(json.dumps(check(source, checks, seed)), flush=True)


main()
