"""``python -m rdbtool`` is ``rdbtool``."""

from rdbtool._entry import main

main()
