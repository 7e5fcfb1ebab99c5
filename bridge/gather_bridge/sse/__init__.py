"""One client on Server-Sent Events: the same line of events as on a WebSocket."""
