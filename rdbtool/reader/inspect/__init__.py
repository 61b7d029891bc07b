"""Byte-level trees of RDB and AOF records, for ``inspect``."""
