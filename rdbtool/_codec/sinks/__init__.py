"""Sinks that compute something."""
