"""Atomic file output."""
