"""Outputs that are not hot: tables, CSV, the hex view, progress. rich is imported here and nowhere else."""
