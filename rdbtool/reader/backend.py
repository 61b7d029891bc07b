"""Who decodes: the codec, or the grammar alone, which is the reference and much slower.

Readers are told so when they are made; ``default`` is for those of which nobody says it. The command line and the tests
set it, as ``RDBTOOL_BACKEND`` says.
"""

from __future__ import annotations

from rdbtool.core.rdb_types import BACKENDS

#: One of ``BACKENDS``.
default: str = "codec"


def backend_of(given: str | None) -> str:
    """Return who decodes. Raises ValueError for a name that is none."""
    chosen = given or default
    if chosen not in BACKENDS:
        raise ValueError(f"backend is one of {', '.join(BACKENDS)}, not {chosen!r}")
    return chosen
