"""What is downloaded or built once and used often, and how half a build is never used."""
