"""A real Kubernetes node without Docker: one process tree in namespaces of its own."""
