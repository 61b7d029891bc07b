"""Validation: check a file and return a Verdict."""
