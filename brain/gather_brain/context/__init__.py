"""What earlier departments offer a later one, and the profiles that are kept for it."""
