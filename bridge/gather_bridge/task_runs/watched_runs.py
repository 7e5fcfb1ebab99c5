"""The runs of a door, kept current by a watch alone: without `list`, one from nothing brings all there are.

A watch that ends goes on from its last version. Where that is not right (the version is too old, an answer
is an error) it begins from nothing, and what is not heard of then is asked for by name.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final

from gather_bridge.task_runs.run_calls import WATCH_WINDOW_S, TaskRuns
from gather_bridge.task_runs.task_states import Task, task_of
from gather_clients.backoff import Backoff
from gather_clients.kube_api.cluster_errors import ClusterError, Missing, Refused

logger = logging.getLogger(__name__)

BACKOFF: Final = Backoff(0.4, 15.0, (0.5, 1.0))
SILENCE_S: Final = WATCH_WINDOW_S + 10.0
"""Nothing for so long: the connection may be dead, so the next watch goes on from the last version."""
SETTLE_S: Final = 3.0
"""An API server that does not mark the end of what there is has brought it all after such a silence."""
BEGINNING_ENDS: Final = "k8s.io/initial-events-end"
FROM_NOTHING: Final = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
"""Asks for a mark at the end of what there is: Kubernetes 1.34, others may refuse it."""
EXPECTED_S: Final = 60.0
"""After so long a run that the watch has not brought is not counted: the watch itself does not work."""

OnChange = Callable[[Task], None]


class WatchedRuns:
    """A cache of the runs that a label selector names."""

    def __init__(self, runs: TaskRuns, selector: str, on_change: OnChange, on_gone: OnChange) -> None:
        """`on_change` gets each task that is new or has changed; `on_gone` what it was when it went.

        A run that no longer fits the selector goes too, and looks as it did before: ask for it by name to
        know whether it was deleted.
        """
        self._runs = runs
        self._selector = selector
        self._on_change = on_change
        self._on_gone = on_gone
        self._since = ""
        self._unheard: set[str] = set()
        """Runs that were known before a watch from nothing, and that it has not brought yet."""
        self._expected: dict[str, float] = {}
        """Runs that are being made, or were and have not been brought yet, and since when."""
        self._marks_beginnings = True
        self._is_settled = False
        self._heard_s: float | None = None
        """None: the server has not taken the watch yet, so that its silence says nothing."""
        self.tasks: dict[str, Task] = {}
        """By the run's name."""
        self.synced = asyncio.Event()
        """All runs that there were at the beginning are known."""
        self.trouble = "the watch has not begun"
        """Why nothing is heard; "" while the watch stands."""

    async def run(self) -> None:
        """Watch until cancelled."""
        failures = 0
        while True:
            begun = self._since
            try:
                await self._watch_once()
            except ClusterError as error:
                failures = 1 if begun != self._since else failures + 1
                self.trouble = str(error)
                if isinstance(error, Refused) and not self._since and self._marks_beginnings:
                    self._marks_beginnings = False
                    continue
                logger.warning("watch of GatherRuns failed", extra={"error": str(error)})
                self._since = ""
                await asyncio.sleep(max(BACKOFF.wait_s(failures), error.retry_after_s or 0))
            else:
                failures = 0 if begun != self._since else failures + 1
                if failures:
                    await asyncio.sleep(BACKOFF.wait_s(failures))

    @contextmanager
    def expecting(self, name: str) -> Iterator[None]:
        """Count a run as active from before it is made until the watch says what it is.

        A run may come and go between two looks at `tasks`, so the watch itself ends this. What raises in
        the block has made no run.
        """
        self._expected[name] = time.monotonic()
        try:
            yield
        except BaseException:
            self._expected.pop(name, None)
            raise

    def expect_no_more(self, name: str) -> None:
        """Count a run no longer that was there before, of which the watch may say nothing."""
        self._expected.pop(name, None)

    def active(self) -> int:
        """Return how many runs have not ended."""
        since_s = time.monotonic() - EXPECTED_S
        self._expected = {name: each_s for name, each_s in self._expected.items() if each_s > since_s}
        running = (name for name, task in self.tasks.items() if not task.state.is_final)
        return len({*running, *self._expected})

    async def _watch_once(self) -> None:
        is_beginning = not self._since
        query = {"labelSelector": self._selector}
        if not is_beginning:
            query["resourceVersion"] = self._since
        elif self._marks_beginnings:
            query |= FROM_NOTHING
        self._unheard = {*self.tasks, *self._expected} if is_beginning else set()
        self._is_settled = not is_beginning
        self._heard_s = None
        settling = asyncio.create_task(self._settle()) if is_beginning else None
        try:
            events = self._runs.watch(query, self._hear)
            async with aclosing(events), asyncio.timeout(SILENCE_S) as silence:
                await self._follow(events, silence)
        except TimeoutError:
            logger.warning("watch of GatherRuns is silent")
        finally:
            if settling is not None:
                settling.cancel()

    async def _follow(
        self, events: AsyncGenerator[tuple[str, dict[str, Any]], None], silence: asyncio.Timeout
    ) -> None:
        async for kind, body in events:
            self._hear()
            self.trouble = ""
            silence.reschedule(asyncio.get_running_loop().time() + SILENCE_S)
            metadata = body.get("metadata") or {}
            self._since = str(metadata.get("resourceVersion") or self._since)
            if kind != "BOOKMARK":
                self._apply(kind, body)
            elif BEGINNING_ENDS in (metadata.get("annotations") or {}):
                await self._confirm()

    def _hear(self) -> None:
        self._heard_s = time.monotonic()

    async def _settle(self) -> None:
        """Confirm once nothing new has come for a while, unless the end of what there is was marked."""
        while not self._is_settled:
            await asyncio.sleep(SETTLE_S / 4)
            if self._heard_s is None or time.monotonic() - self._heard_s < SETTLE_S:
                continue
            try:
                await self._confirm()
            except ClusterError as error:
                logger.warning("a GatherRun cannot be asked for", extra={"error": str(error)})

    async def _confirm(self) -> None:
        """Ask for the runs that were not heard of again."""
        for name in list(self._unheard):
            try:
                self._apply("MODIFIED", await self._runs.get(name))
            except Missing:
                self._drop(name)
        self._is_settled = True
        self.synced.set()
        self.trouble = ""

    def _apply(self, kind: str, body: dict[str, Any]) -> None:
        try:
            task = task_of(body)
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("a GatherRun cannot be read", extra={"error": type(error).__name__})
            return
        self._unheard.discard(task.run)
        self._expected.pop(task.run, None)
        if kind == "DELETED":
            self.tasks.pop(task.run, None)
            self._on_gone(task)
        elif self.tasks.get(task.run) != task:
            self.tasks[task.run] = task
            self._on_change(task)

    def _drop(self, name: str) -> None:
        self._unheard.discard(name)
        self._expected.pop(name, None)
        task = self.tasks.pop(name, None)
        if task is not None:
            self._on_gone(task)
