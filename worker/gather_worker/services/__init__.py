"""One module for each outside system that a department writes to or asks: MongoDB, brain, Redis, Celery."""
