"""Reads the jsonl dump format."""
