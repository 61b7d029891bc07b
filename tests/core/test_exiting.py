"""Data of a command is not taken apart at the end of its process; elsewhere it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os
from rdbtool.core.exiting import keep_from_now_on, keep_until_exit

class Data:
    def __del__(self):
        print("freed", flush=True)

def command():
    keep_until_exit(Data())
    print("done", flush=True)

KEEP
command()
print("ends", flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(("keeps", "printed"), [(True, ["done", "ends"]), (False, ["freed", "done", "ends"])])
def test_what_is_kept_is_never_freed(keeps: bool, printed: list[str]) -> None:
    program = PROGRAM.replace("KEEP", "keep_from_now_on()" if keeps else "")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (printed, "")
