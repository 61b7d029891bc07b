"""Fuzz one target, guided by coverage: python fuzz/run.py TARGET RUNS DIRECTORY [words for libFuzzer].

DIRECTORY keeps the corpus between runs. What is found stands in ``fuzz-findings`` below the working directory. The
codec has to be built with RDBTOOL_BUILD=fuzz: `just fuzz TARGET` does all of that.

RUNS may be "merge": then nothing is tried, and DIRECTORY with ".kept" behind it becomes the few short inputs of the
corpus that cover what all of it covers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rdbtool.core.manifest", "rdbtool.reader.jsonl"]):
    import rdbtool.core.manifest
    import rdbtool.reader.jsonl.reader  # noqa: F401 - imported here so that they are instrumented

from targets import TARGETS, seeds

#: Where a process that libFuzzer starts itself, to merge, finds the target: its words are those of libFuzzer.
TARGET = "RDBTOOL_FUZZ_TARGET"


def words_of(target: str, runs: str, directory: str, *more: str) -> list[str]:
    """Prepare the directories, and return libFuzzer's words."""
    corpus = Path(directory)
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    Path("fuzz-findings").mkdir(exist_ok=True)
    common = ["-timeout=10", "-artifact_prefix=fuzz-findings/", *more]
    if runs != "merge":
        return [f"-runs={runs}", "-max_len=4096", *common, str(corpus)]
    kept = corpus.with_suffix(".kept")
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    return ["-set_cover_merge=1", "-max_len=1024", *common, str(kept), str(corpus)]


def main() -> None:
    """Begin as the command line says, or as the process does that merges."""
    if TARGET in os.environ:
        words = sys.argv[1:]
    else:
        os.environ[TARGET] = sys.argv[1]
        words = words_of(*sys.argv[1:])
    # libFuzzer gives this to a shell to run itself again.
    atheris.Setup([f"{sys.executable} {__file__}", *words], TARGETS[os.environ[TARGET]])
    atheris.Fuzz()


main()
