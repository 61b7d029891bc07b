"""Replays an AOF into a keyspace."""
