"""Creation and replacement of multi-part AOFs."""
