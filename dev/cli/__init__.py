"""The commands of `python -m dev`."""
