"""What the operator last wrote of each run, for those who may not ask Kubernetes: in Redis and in MongoDB."""
