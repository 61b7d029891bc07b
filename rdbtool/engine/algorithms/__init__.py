"""Numeric algorithms reproduced bit for bit from the servers."""
