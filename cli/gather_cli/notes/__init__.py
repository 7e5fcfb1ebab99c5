"""Notes of a project through the bridge's API, with the bridge's tokens; never from MongoDB."""
