"""Which of the operator's replicas acts, and how it stops: Lease, hand-over, letting go of runs."""
