"""SIGTERM and SIGINT, which end an attempt."""

import asyncio
import contextlib
import signal

from gather_worker.attempt import Attempt


def end_on_signals(attempt: Attempt) -> None:
    """Let SIGTERM and SIGINT end the attempt.

    Not with the loop's own handlers, which end with it: a signal that comes while the result is written would
    then kill the process, and the operator would never learn the result.
    """
    loop = asyncio.get_running_loop()

    def terminate(*_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the attempt over
            loop.call_soon_threadsafe(attempt.terminate)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, terminate)
