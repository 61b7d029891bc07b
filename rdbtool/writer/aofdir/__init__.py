"""Creates and replaces multi-part AOFs."""
