"""Worker processes that start at once: copies of a process that has imported the worker already."""

import importlib
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from tests.support.workers.process_forks import ProcessForks, serve

IMPORTED: Final = (
    "gather_worker.cli.run", "gather_worker.department_run", "gather_worker.duplicates.calibration",
    "gather_worker.services.evaluation", "gather_worker.steps.deduplicating", "tiktoken",
)  # fmt: skip
"""What workers import sooner or later; `make unit` holds when."""


@contextmanager
def worker_forks() -> Iterator[ProcessForks]:
    """Have a process to copy while the block lasts."""
    with closing(ProcessForks(__name__)) as forks:
        yield forks


def _run() -> None:
    main: Any = importlib.import_module("gather_worker.main")
    for name in (*IMPORTED, *main.COMMANDS.values()):
        importlib.import_module(name)
    if serve("gather-worker"):
        main.STARTED_AT = time.monotonic()
        main.main()


if __name__ == "__main__":
    _run()
