"""How fast the worker is: `make bench-worker`, or `tests/bench/worker.py --help`; see docs/bench.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from dev.bench.worker import command

    command()
