"""Readers: detect the format of an input, and read its records."""
