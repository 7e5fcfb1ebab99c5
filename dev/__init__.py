"""The one-machine cluster, image builds, generators and rooms outside a cluster: development only."""
