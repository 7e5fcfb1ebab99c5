"""The HTTP API over Neo4j: nodes, duplicates, context, coverage."""

__version__ = "1.0.0"
"""The version of the API, as its documentation names it."""
