"""Writes the example project, a film of our own invention, into MongoDB and the brain; for trying out."""
