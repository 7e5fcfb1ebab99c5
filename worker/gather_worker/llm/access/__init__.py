"""The way to the endpoint: its address and keys, and how bytes become the body of a chat completion."""
