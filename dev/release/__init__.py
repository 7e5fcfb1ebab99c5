"""What a release is made of: versions and changelog, what is built and published, and when it is refused."""
