"""What people install or read: the command line's archive and Krew manifest, the docs as a site, pictures."""
