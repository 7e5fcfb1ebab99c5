"""Events from Redis to the listeners of this process, each project in an unbroken line."""
