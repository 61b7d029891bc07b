"""What a file is and holds: summary and digest."""
