"""Filters: sinks that pass events on to another sink."""
