"""The child of ``test_damage``: judges every truncation and every flip of the files that it is given.

    python damage_child.py SOURCE FILE...     (SOURCE is FILE, or the directory or manifest that it belongs to)

Prints one line of JSON: how often each answer came, what was wrong with it, and the peak of resident memory in MiB.
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

from rdbtool.core.codes import BY_CODE
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks

ADDRESS_SPACE = 512 << 20
SECONDS = 2.0
NOW_MS = 1_800_000_000_000


def damages(data: bytes) -> Iterator[tuple[str, bytes]]:
    for size in range(len(data)):
        yield f"cut at {size}", data[:size]
    changed = bytearray(data)
    for at in range(len(data)):
        for bit in range(8):
            changed[at] ^= 1 << bit
            yield f"flip of bit {bit} at {at}", bytes(changed)
            changed[at] ^= 1 << bit


def main() -> None:
    source, *files = map(Path, sys.argv[1:])
    checks = Checks(now_ms=NOW_MS)
    validate(str(source), checks)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    answers: dict[str, Counter[str]] = {"cut": Counter(), "flip": Counter()}
    wrong = []
    unreported = []
    for file in files:
        whole = file.read_bytes()
        for label, data in damages(whole):
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
    print(json.dumps({"answers": answers, "wrong": wrong, "unreported": unreported, "peak": peak}))


main()
