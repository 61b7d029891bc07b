"""Exports a keyspace as records or sink events."""
