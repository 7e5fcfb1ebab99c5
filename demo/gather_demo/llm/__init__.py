"""A demo language model behind an OpenAI-compatible API; it writes from sentences of its own."""
