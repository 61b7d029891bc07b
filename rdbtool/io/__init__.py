"""Bytes: where they come from (``source``), LZF (``lzf``) and the checksum of RDB files (``crc64``).

This floor is the one home of the packages that inflate and sum: backports.zstd, anycrc, and python-lzf and lz4, which
may be missing. They are imported when they are first needed, because most runs of a command need none of them.
"""
