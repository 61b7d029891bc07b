"""Stream values, groups, trimming."""
