"""The commands of `gather-worker`: arguments and settings in, clients opened, an exit code out."""
