"""How fast the brain is: `make bench`, or `python tests/bench/brain.py --help`. See docs/bench.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from dev.bench.command import command

    command()
