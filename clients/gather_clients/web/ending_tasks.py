"""The end of a process's own tasks."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

AGAIN_S: Final = 5.0
"""`asyncio.wait_for` of Python 3.11, which redis-py uses, may lose a cancellation; the next one arrives."""


async def end_tasks(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel the tasks until all have ended; what they raise is theirs."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
