"""The commands, one file each: options → one library call → one report."""
