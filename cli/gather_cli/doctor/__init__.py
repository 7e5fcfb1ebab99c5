"""What is wrong with an installation: facts are gathered from the Kubernetes API, pure checks name causes and fixes."""
