"""Readers of append-only files."""
