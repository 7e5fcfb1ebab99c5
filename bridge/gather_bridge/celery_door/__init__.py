"""The Celery door: `automated_gather_creation` becomes a GatherRun; its result comes from a watch."""
