"""Functions from sources to results."""
