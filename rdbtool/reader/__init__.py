"""Records from sources: what a file is, and what stands in it."""
