"""Errors, findings, locations, and the tables that are data only: RDB types, servers, commands, codes."""
