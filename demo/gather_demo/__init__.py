"""What the demo services share; they are for trying out and for tests, not for production."""
