"""Finds intact records in damaged files."""
