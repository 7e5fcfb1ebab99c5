"""Calls and watches of the Kubernetes API over the official client (decision 0002 in docs)."""
