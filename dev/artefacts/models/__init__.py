"""The embedding models of the brain's image: weights out of packages, and the graph that computes them."""
