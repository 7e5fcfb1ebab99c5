"""A project's notes, as pages of JSON and as files: JSON Lines, CSV, Markdown, DOCX."""
