"""Detects whether a server or another run has an AOF open."""
