"""Checks a file and returns a Verdict."""
