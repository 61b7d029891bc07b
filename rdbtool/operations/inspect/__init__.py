"""Inspection: what every byte of a file is."""
