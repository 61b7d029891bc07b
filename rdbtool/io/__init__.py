"""Bytes: input streams (``source``), LZF (``lzf``) and the checksum of RDB files (``crc64``).

The only package that uses python-lzf, lz4, backports.zstd and anycrc. They are imported on first use, because most runs
of a command need none of them.
"""
