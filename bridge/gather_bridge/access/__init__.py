"""Who may listen: tokens of a file and of the command, and one-use tickets for browsers."""
