"""The form in which a command is propagated to the AOF."""
