"""What the operator does for webhooks besides sending events: their outbox, and what of it was given up."""
