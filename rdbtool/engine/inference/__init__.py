"""Which server wrote an AOF that does not say so, and where that makes a difference."""
