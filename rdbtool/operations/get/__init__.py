"""Look up one value of a dataset."""
