"""Repair: write a valid file from what salvage found."""
