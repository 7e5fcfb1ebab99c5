"""A demo CMS that answers Payload's `GET /api/departments`; for trying out and for tests."""
