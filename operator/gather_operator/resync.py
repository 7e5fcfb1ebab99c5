"""Looks at every run every few seconds and lists GatherRuns again, so that no lost event can hang a run."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from gather_operator.errors import ClusterError, Missing
from gather_operator.health import Health
from gather_operator.kube.cluster import Cluster
from gather_operator.metrics import RELISTS, RUNS
from gather_operator.replicas.term import Inbox
from gather_operator.run_cache import RunCache, is_asked_for, version_number

logger = logging.getLogger(__name__)

RETRY_S: Final = 1.0
LIST_INTERVAL_MIN_S: Final = 3.0
"""With a pass of a few hundred milliseconds, an event of the watch that was lost costs less than 5 s."""
LIST_SHARE: Final = 0.05
"""Of the time, spent on lists: where many runs make one long, they become rarer, down to the interval that is
set."""


def list_pause_s(took_s: float, interval_s: float) -> float:
    """Return how long after a list the next one is made; never longer than `interval_s`."""
    return min(interval_s, max(LIST_INTERVAL_MIN_S, took_s / LIST_SHARE))


class Resync:
    """Brings every unfinished run back into the queue, whatever the watches say.

    An ended run whose events are not published yet comes back by itself: its pass asks for another.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: RunCache,
        queue: Inbox,
        health: Health,
        is_acting: Callable[[], bool] = lambda: True,
    ) -> None:
        """Replicas that do not act (`is_acting`) show no numbers of runs: a sum would double them."""
        self._cluster = cluster
        self._cache = cache
        self._queue = queue
        self._health = health
        self._is_acting = is_acting
        self._last_error = ""
        self.listed = asyncio.Event()
        """Set once GatherRuns have been listed."""

    async def run(self, tick_interval_s: float, relist_interval_s: float) -> None:
        """List and tick until cancelled; `relist_interval_s` is the longest pause between two lists."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(tick_interval_s))
            while True:
                began_s = time.monotonic()
                has_answered = await self.relist()
                took_s = time.monotonic() - began_s
                await asyncio.sleep(list_pause_s(took_s, relist_interval_s) if has_answered else RETRY_S)

    async def _tick(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            for run in self._cache.all():
                if not run.status.phase.is_final or run.is_being_deleted:
                    self._queue.add(run.metadata.uid)
            for uid in self._cache.expired(datetime.now(UTC)):
                self._queue.add(uid)

    async def relist(self) -> bool:
        """List GatherRuns and queue what changed; return whether the API answered."""
        try:
            bodies, version = await self._cluster.list_runs()
        except ClusterError as error:
            if str(error) != self._last_error:  # logged once, not every second
                hint = "is the CRD installed?" if isinstance(error, Missing) else ""
                logger.warning("listing GatherRuns failed", extra={"error": str(error), "hint": hint})
            self._last_error = str(error)
            return False
        self._last_error = ""
        RELISTS.labels(kind="gatherruns", reason="tick").inc()
        self._health.listed_s = time.monotonic()
        before = {run.metadata.uid: run for run in self._cache.all()}
        for uid in self._cache.replace(bodies, version):
            self._queue.add(uid, is_asked_for=is_asked_for(before.get(uid), self._cache.get(uid)))
        self._health.canary.listed(
            (b["metadata"]["uid"], version_number(b["metadata"]["resourceVersion"])) for b in bodies
        )
        self._show_phases()
        self.listed.set()
        return True

    def _show_phases(self) -> None:
        if not self._is_acting():
            RUNS.clear()
            return
        for phase, count in self._cache.phases().items():
            RUNS.labels(phase=phase).set(count)
