"""The public functions, one module each: arguments are checked, one operation is called, and its result returned."""
