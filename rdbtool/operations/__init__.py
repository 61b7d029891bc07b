"""One package for each thing that rdbtool does."""
