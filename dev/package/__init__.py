"""What people install: the archive of the command line, and its Krew manifest."""
