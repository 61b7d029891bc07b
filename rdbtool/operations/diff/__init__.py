"""Comparison of two datasets by content."""
