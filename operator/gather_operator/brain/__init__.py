"""What the operator knows of the brain: whether it answers. The workers do all the rest with it."""
