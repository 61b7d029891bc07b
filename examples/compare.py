"""Say what changed between two backups, by prefix: python compare.py OLD NEW."""

import sys
from collections import Counter

import rdbtool

WORDS = {"+": "added", "-": "removed", "~": "changed"}


def main(old: str, new: str) -> None:
    """Print how many keys under each prefix were added, removed and changed; exit code 1 if any were."""
    found = rdbtool.diff(old, new, ignore_ttl=True)
    counts: Counter[tuple[str, str]] = Counter()
    for difference in found.keys:
        prefix = difference.record.key.split(b":")[0].decode(errors="backslashreplace")
        counts[prefix, WORDS[difference.sign]] += 1
    for (prefix, word), count in sorted(counts.items()):
        print(f"{prefix:20} {count:8,} {word}")
    print(f"{found.counts.same:,} keys are the same")
    sys.exit(0 if found.are_same else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
