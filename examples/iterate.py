"""Walk over every key of an RDB, an AOF or JSON lines: python iterate.py FILE."""

import sys
from collections import Counter

import rdbtool


def main(path: str) -> None:
    """Print how many keys and elements there are of each type, and the largest hash."""
    keys: Counter[str] = Counter()
    elements: Counter[str] = Counter()
    largest, fields = b"", 0
    for record in rdbtool.open(path):
        keys[record.kind] += 1
        elements[record.kind] += len(record.value)
        if isinstance(record.value, rdbtool.HashValue) and len(record.value) > fields:
            largest, fields = record.key, len(record.value)
    for kind, count in keys.most_common():
        print(f"{kind:8} {count:10,} keys {elements[kind]:12,} elements")
    if fields:
        print(f"the largest hash is {largest!r} with {fields:,} fields")


if __name__ == "__main__":
    main(*sys.argv[1:])
