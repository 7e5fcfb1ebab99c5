"""The clients that more than one room needs: the brain and the event log."""
