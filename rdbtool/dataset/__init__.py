"""A dataset: anything with a header, aux fields and keys that can be fed to a sink."""
