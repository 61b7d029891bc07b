"""Fuzz one target, guided by coverage: python fuzz/run.py TARGET RUNS DIRECTORY [words for libFuzzer].

DIRECTORY keeps the corpus between runs. What is found stands in ``fuzz-findings`` below the working directory. The
codec has to be built with RDBTOOL_BUILD=fuzz: `just fuzz TARGET` does all of that.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rdbtool.core.manifest", "rdbtool.reader.jsonl"]):
    import rdbtool.core.manifest
    import rdbtool.reader.jsonl.reader  # noqa: F401 - imported here so that they are instrumented

from targets import TARGETS, seeds

target, runs, directory, *more = sys.argv[1:]
corpus = Path(directory)
corpus.mkdir(parents=True, exist_ok=True)
for data in seeds(target):
    (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
Path("fuzz-findings").mkdir(exist_ok=True)
words = [f"-runs={runs}", "-max_len=4096", "-timeout=10", "-artifact_prefix=fuzz-findings/", *more, str(corpus)]
atheris.Setup([sys.argv[0], *words], TARGETS[target])
atheris.Fuzz()
