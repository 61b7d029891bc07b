"""What keys take in memory, and what fills it."""
