"""Bytes: input streams (``source``), LZF (``lzf``) and the checksum of RDB files (``crc64``).

The only package that uses backports.zstd and anycrc, and python-lzf and lz4, which may be missing. They are imported on
first use, because most runs of a command need none of them.
"""
