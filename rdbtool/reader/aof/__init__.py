"""Reads append-only files."""
