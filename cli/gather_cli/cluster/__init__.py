"""The Kubernetes API for a process that lives half a second: kubeconfig, TLS, calls, watches (decision 0023 in docs)."""
