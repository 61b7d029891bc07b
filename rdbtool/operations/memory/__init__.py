"""Memory usage of keys, and memory statistics of datasets."""
