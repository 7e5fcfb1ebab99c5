"""API keys: their form, where they are kept, and which projects each may use."""
