"""``python -m rdbtool``: the command line."""

from __future__ import annotations

from rdbtool._entry import main

if __name__ == "__main__":
    main()
