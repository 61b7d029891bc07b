"""Replay of an AOF, with a report."""
