"""Redis to the outside: WebSocket with replay, and webhooks."""
