"""The one-machine cluster: its providers, kubectl and Helm bound to it, and Gather deployed on it."""
