"""How fast and how true the default embedding model is: `python tests/bench/embedding.py --help`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from dev.bench.embedding import command

    command()
