"""Salvage: find the intact records of damaged files."""
