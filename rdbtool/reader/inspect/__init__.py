"""Byte-level trees of RDB and AOF records."""
