"""Output of a dataset's keys in a chosen form."""
