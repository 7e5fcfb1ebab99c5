"""The HTTP API over Neo4j: nodes, duplicates, context, coverage."""
