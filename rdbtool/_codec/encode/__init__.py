"""Encoders: sinks that write a format."""
