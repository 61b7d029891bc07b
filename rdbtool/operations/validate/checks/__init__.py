"""Validation rules of RDBs, for records and files with intact structure; one family per file."""
