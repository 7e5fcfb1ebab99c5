"""What stands in the status, for those who may not ask Kubernetes."""
