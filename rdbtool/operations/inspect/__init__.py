"""What every byte of a file is."""
