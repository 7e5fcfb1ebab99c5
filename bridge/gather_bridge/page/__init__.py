"""The run page: what a producer sees of a run and a project, in a browser."""
