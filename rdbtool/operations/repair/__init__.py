"""Writes a valid file from what salvage found."""
