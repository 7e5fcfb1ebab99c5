"""One department: its task, checkpoint, score, stop rule and outcome; pure but for reading the task."""
