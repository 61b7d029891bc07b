"""Decoders: from bytes to sink events."""
