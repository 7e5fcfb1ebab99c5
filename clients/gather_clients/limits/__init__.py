"""Rate limits: what a policy admits, and where its buckets are kept."""
