"""The endpoints, one module each; they gather, call pure functions and shape the answer."""
