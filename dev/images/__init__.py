"""Which images there are, and how they are built and given to the node."""
