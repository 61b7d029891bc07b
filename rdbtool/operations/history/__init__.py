"""The history of one key in an AOF."""
