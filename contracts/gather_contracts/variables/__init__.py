"""The environment variables of all rooms by name, and which of a process are none of them."""
