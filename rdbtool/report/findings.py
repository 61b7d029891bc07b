"""Findings and bytes in JSON, in the shape that every report shares."""

from __future__ import annotations

import base64
from typing import Any

from rdbtool.core.errors import FormatError, json_name


def json_bytes(data: bytes) -> str | dict[str, str]:
    """Return bytes as the string that they are in UTF-8, else as ``{"base64": …}``."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def finding_json(error: FormatError, part: str) -> dict[str, Any]:
    """Return an error in ``part``, a file, as a finding."""
    return {
        "code": error.code,
        "severity": "error",
        "part": json_name(part),
        "offset": error.at,
        "db": error.where.db,
        "key": None if error.where.key is None else json_bytes(error.where.key),
        "message": f"expected {error.expected}, found {error.found}",
    }
