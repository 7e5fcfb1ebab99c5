"""What stands in a project's database in many forms, made into notes; pure: no connection is opened here."""
