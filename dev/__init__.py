"""The one-machine cluster, image builds, demo services and generators: development only."""
