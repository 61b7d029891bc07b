"""Conversion and AOF rewrite: write a dataset for a target, and verify the output."""
