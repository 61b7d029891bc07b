"""Detects the format of an input and opens the right reader."""
