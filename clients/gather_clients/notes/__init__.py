"""A project's `gather` in many forms, made into notes; importing it costs the MongoDB driver's bson."""
