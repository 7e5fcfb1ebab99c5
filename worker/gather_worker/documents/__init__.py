"""What a note is to the brain; pure."""
