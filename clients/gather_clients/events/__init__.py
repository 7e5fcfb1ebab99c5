"""What the event log needs besides Redis: which of its pasts lead to its present, and a queue before it."""
