"""What is known of a run, for those who show it."""
