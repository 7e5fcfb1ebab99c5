"""The Kubernetes API for a process that lives half a second (decision 0023 in docs)."""
