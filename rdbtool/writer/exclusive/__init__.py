"""Detection of servers, or other runs, that have an AOF open."""
