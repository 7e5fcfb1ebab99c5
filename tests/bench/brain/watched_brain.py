"""A brain that watches its own event loop: the process that `gather-brain serve` is, and nothing else.

Of each callback the thread's own processor time counts, so that other programs on the machine add nothing.
SIGUSR1 writes what was longest since the last into the file of `WATCH_FILE`.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from gather_brain.main import main

WATCH_FILE: Final = "GATHER_BENCH_WATCH_FILE"
MS_PER_S: Final = 1000


class Watch:
    """The longest that one callback held the loop, and what it was."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._what = ""
        self._run = asyncio.Handle._run

    def start(self) -> None:
        """Watch every callback of the main thread's loop from now on."""
        watched = threading.main_thread()
        original = self._run

        def run(handle: Any) -> None:
            if threading.current_thread() is not watched:
                original(handle)
                return
            started = time.thread_time()
            original(handle)
            self._note(time.thread_time() - started, handle)

        asyncio.Handle._run = run  # type: ignore[method-assign,assignment]

    def _note(self, seconds: float, handle: Any) -> None:
        if seconds > self._longest:
            callback = handle._callback
            task = getattr(callback, "__self__", None)
            what = task.get_coro() if isinstance(task, asyncio.Task) else callback
            self._longest, self._what = seconds, str(getattr(what, "__qualname__", type(what).__name__))

    def write(self, place: Path) -> None:
        """Write the longest and begin again."""
        found = {"ms": self._longest * MS_PER_S, "what": self._what}
        self._longest, self._what = 0.0, ""
        partial = place.with_suffix(".partial")
        partial.write_text(json.dumps(found), encoding="utf-8")
        partial.rename(place)


if __name__ == "__main__":
    watch = Watch()
    watch.start()
    signal.signal(signal.SIGUSR1, lambda *_: watch.write(Path(os.environ[WATCH_FILE])))
    sys.argv = ["gather-brain", "serve"]
    main()
