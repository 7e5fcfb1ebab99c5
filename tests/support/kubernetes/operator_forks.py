"""Operator processes that start at once: copies of a process that has imported the operator already."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from gather_operator.main import main
from tests.support.workers.process_forks import ProcessForks, serve


@contextmanager
def operator_forks() -> Iterator[ProcessForks]:
    """Have a process to copy while the block lasts."""
    with closing(ProcessForks(__name__)) as forks:
        yield forks


if __name__ == "__main__" and serve("gather-operator"):
    main()
