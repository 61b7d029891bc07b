"""The rules of RDBs: what a record or a file may not be although its structure is sound; one family to a file."""
