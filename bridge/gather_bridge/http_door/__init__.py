"""The HTTP door: runs as the application's task service offers them."""
