"""One department in one pod: generate, dedupe, save, index, score, until good enough."""
