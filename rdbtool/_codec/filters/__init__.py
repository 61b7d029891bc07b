"""Sinks that pass events on to another sink."""
