"""Vectors for texts: providers, cache, fair admission, and the change from one model to another."""
