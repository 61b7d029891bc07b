"""One package per thing that rdbtool does."""
