"""What both doors share: a task as a GatherRun, and a GatherRun as a task's state and result."""
