"""The published OpenAPI 3.0 document and its examples."""
