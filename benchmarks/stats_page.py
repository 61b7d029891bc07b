#!/usr/bin/env python3
"""Make the picture of the page that ``rdbtool stats --html`` writes, for the README, from data that is always the same.

    stats_page.py PICTURE.png [--keep PAGE.html] [--dark]

The data are JSON lines of about 12,000 keys, and those of a week before, written from a fixed seed. Chromium has to be
on PATH.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NOW_MS = 1_795_000_000_000
DAY_MS = 86_400_000
WEEK_S = 604_800


def text(rng, size):
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=size))


def keys(rng, scale):
    """Yield (key, type, value, days until it expires or None)."""
    for number in range(int(6000 * scale)):
        expiry = None if number % 12 == 0 else rng.uniform(0.01, 3)
        yield f"session:{rng.getrandbits(64):016x}", "string", text(rng, rng.randrange(80, 400)), expiry
    for number in range(2000):
        yield f"user:{number}:profile", "hash", [[f"field{n}", text(rng, rng.randrange(4, 40))] for n in range(8)], None
        if number % 2:
            yield f"user:{number}:cart", "list", [text(rng, 12) for _ in range(rng.randrange(1, 30))], 20
    for number in range(int(700 * scale * scale)):
        size = rng.choice(["thumb", "large", "large"])
        yield (
            f"cache/img/{size}/{number}.webp",
            "string",
            text(rng, 400 if size == "thumb" else 4000),
            rng.uniform(1, 9),
        )
    for number in range(300):
        members = [[text(rng, 8), rng.randrange(10**6)] for _ in range(rng.randrange(100, 220))]
        yield f"board:daily:{number}", "zset", members, None if number % 3 else 1
    for name, count in (("all", int(40_000 * scale)), ("active", 9000)):
        yield f"ids:{name}", "set", [f"u{n}" for n in range(count)], None
    for number in range(900):
        yield f"feature.{rng.choice(['eu', 'us', 'ap'])}.{number}", "string", str(rng.randrange(10**6)), None


def write(path, scale, ctime):
    rng = random.Random(14)
    with path.open("w") as lines:
        print(json.dumps({"rdb": {"magic": "REDIS", "version": 11}}), file=lines)
        print(json.dumps({"aux": ["redis-ver", "7.4.1"]}), file=lines)
        print(json.dumps({"aux": ["ctime", str(ctime)]}), file=lines)
        for key, kind, value, days in keys(rng, scale):
            row = {"db": 0, "key": key, "type": kind, "value": value}
            if days is not None:
                row["expire_at_ms"] = int(NOW_MS + days * DAY_MS)
            print(json.dumps(row), file=lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the page, too")
    parser.add_argument("--dark", action="store_true")
    given = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("chromium is not on PATH")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        write(here / "dump.jsonl", 1.0, NOW_MS // 1000)
        write(here / "last-week.jsonl", 0.75, NOW_MS // 1000 - WEEK_S)
        command = "from rdbtool._entry import main; main()"
        words = ["stats", "dump.jsonl", "--since", "last-week.jsonl", "--compare", "redis-8.2,valkey-9.1"]
        words += ["--now", str(NOW_MS), "--html", "page.html"]
        subprocess.run([sys.executable, "-c", command, *words], cwd=here, check=True)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1130"]
        flags += ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
        if given.dark:
            flags.append("--blink-settings=preferredColorScheme=0")
        flags += ["--disable-sync", f"--user-data-dir={here / 'profile'}", f"--screenshot={given.picture.resolve()}"]
        subprocess.run([browser, *flags, (here / "page.html").as_uri()], check=True, capture_output=True)
        if given.keep is not None:
            shutil.copy(here / "page.html", given.keep)


if __name__ == "__main__":
    main()
