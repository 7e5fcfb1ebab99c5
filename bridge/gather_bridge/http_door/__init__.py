"""The HTTP door: tasks as the application submits, polls and cancels them, each a GatherRun."""
