"""Answers as no model should give them, and good ones that were mutated; a seed makes the same ones."""
