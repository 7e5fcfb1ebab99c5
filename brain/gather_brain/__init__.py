"""The HTTP API over Neo4j: nodes, duplicates, context, coverage."""

import os

# Before numpy is loaded. The matrices are small: two BLAS threads that wait for each other take three to five
# times as long on two busy cores (coverage of 100 items: 190-460 ms instead of 50-100).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "1.0.0"
"""The version of the API, as its documentation names it."""
