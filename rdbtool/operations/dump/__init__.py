"""Writes the keys of a dataset in a form of the user's choice."""
