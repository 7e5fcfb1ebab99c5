"""The department loop in its steps: what is done, in which order, with services passed in."""
