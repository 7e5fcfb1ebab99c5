"""Entry of `python -m dev`."""

from dev.cli import main

main()
