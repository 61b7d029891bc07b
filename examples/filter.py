"""Print the hashes under a prefix as JSON lines: python filter.py FILE PREFIX."""

import json
import re
import sys

import rdbtool


def main(path: str, prefix: str) -> None:
    """Print one object a key; bytes that are no UTF-8 are escaped."""
    for record in rdbtool.open(path, key=f"^{re.escape(prefix)}", type="hash", expired=False):
        assert isinstance(record.value, rdbtool.HashValue)
        fields = {text(field): text(value) for field, value in record.value}
        print(json.dumps({"key": text(record.key), "expires": record.expire_at_ms, "fields": fields}))


def text(data: bytes) -> str:
    """Return bytes as text."""
    return data.decode(errors="backslashreplace")


if __name__ == "__main__":
    main(*sys.argv[1:])
