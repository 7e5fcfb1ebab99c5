"""Entry of `python -m dev`."""

from dev.cli.main import main

main()
