"""GatherRun in, Jobs out; the only writer of GatherRun status."""
