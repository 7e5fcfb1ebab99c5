"""What more than one room needs: brain client, event log, logs, settings, back-off, bounded calls."""
