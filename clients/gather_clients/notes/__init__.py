"""What stands in a project's `gather` in many forms, made into notes; imports the MongoDB driver's bson."""
