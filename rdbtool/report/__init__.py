"""Rendering of results: text, tables, CSV, hex view, progress bar. The only package that imports rich."""
