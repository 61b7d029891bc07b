"""Which decoder reads: the compiled codec, or the grammar alone."""

from __future__ import annotations

from rdbtool.core.rdb_types import BACKENDS

#: The default decoder, one of ``BACKENDS``. The command line and the tests set it from ``RDBTOOL_BACKEND``.
default_backend: str = "codec"


def backend_of(given: str | None) -> str:
    """Return the decoder. Raises ValueError for an unknown name."""
    chosen = given or default_backend
    if chosen not in BACKENDS:
        raise ValueError(f"backend is one of {', '.join(BACKENDS)}, not {chosen!r}")
    return chosen
