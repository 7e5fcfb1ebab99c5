"""`gather` and `kubectl gather`: runs on the command line."""
