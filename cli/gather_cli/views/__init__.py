"""What is shown, as text; pure but for `terminal.py`, which knows what the terminal can do."""
