"""One client on a WebSocket: who may listen, the handshake and the session."""
