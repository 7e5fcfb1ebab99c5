"""Writes the generated files: CRD, OpenAPI, token vocabulary, locks."""
