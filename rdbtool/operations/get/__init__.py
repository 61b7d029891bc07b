"""One value of a dataset."""
