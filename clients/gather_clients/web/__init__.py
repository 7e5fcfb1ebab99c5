"""What an HTTP API is made of, for rooms with FastAPI: errors, bodies, its document, a server that drains."""
