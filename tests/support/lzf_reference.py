"""python-lzf where it is installed: LZF that rdbtool did not write; else rdbtool's own."""

try:
    from lzf import compress, decompress
except ImportError:
    from rdbtool.io.own_lzf import compress, decompress

__all__ = ["compress", "decompress"]
