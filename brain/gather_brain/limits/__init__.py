"""Rate limits per key and project: the policy and where its buckets are kept."""
