"""The words all rooms share; no input or output."""
