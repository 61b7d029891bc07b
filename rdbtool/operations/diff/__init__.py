"""Compares two datasets by content."""
