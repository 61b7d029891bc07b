"""Writes a dataset for a target, and verifies it."""
