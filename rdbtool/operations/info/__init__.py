"""Summary and digest of a file."""
