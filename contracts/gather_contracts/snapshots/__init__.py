"""What is known of a run at a moment, and what it has come to; pure."""
