"""Replays an AOF and reports what it consists of and what it leads to."""
