"""What to do for a run, as pure functions of what is known; no I/O."""
