"""What is wrong with an installation: facts from the Kubernetes API, and pure checks over them."""
