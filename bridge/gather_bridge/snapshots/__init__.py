"""A run as of a place in the log, for a page that was loaded in its middle."""
