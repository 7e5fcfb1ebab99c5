"""What a run's status says, and the Kubernetes Events that follow from it: from facts and decisions. Pure."""
