"""Looks at every unfinished run again and again, and follows versions of GatherRuns on a watch of its own.

So no lost event can hang a run, and kopf's watch is known to deliver. Whole runs are listed once, at first.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from gather_clients.kube_api.cluster_errors import ClusterError, Missing
from gather_contracts import names
from gather_contracts.reasons import RunPhase
from gather_operator.health import Health, WatchCanary
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.informer import Informer
from gather_operator.metrics import RELISTS, RUNS
from gather_operator.replicas.term import Inbox
from gather_operator.replicas.unshown_ends import UnshownEnds
from gather_operator.run_cache import RunCache, RunVersion, is_asked_for, version_number

logger = logging.getLogger(__name__)

RETRY_S: Final = 1.0
FINAL_PHASES: Final = frozenset(phase for phase in RunPhase if phase.is_final)
BURST: Final = 10
"""Runs that the ticker brings at once."""
TICKS_PER_S: Final = 50
"""Passes that the ticker asks for, at most: of a thousand runs each comes up every 20 s, spread evenly."""


class Resync:
    """Brings every unfinished run back into the queue, whatever kopf's watch says.

    An ended run whose events are not published yet comes back by itself: its pass asks for another.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: RunCache,
        queue: Inbox,
        health: Health,
        is_acting: Callable[[], bool] = lambda: True,
        *,
        is_ours: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Replicas that do not act (`is_acting`) show no numbers of runs: a sum would double them.

        `is_ours`: the run is this shard's.
        """
        self._cluster = cluster
        self._cache = cache
        self._queue = queue
        self._health = health
        self._is_acting = is_acting
        self._last_error = ""
        self._versions: Informer[RunVersion] = Informer(
            "gatherruns",
            cluster.list_versions,
            cluster.watch_versions,
            self._seen,
            self._gone,
            is_version_read=True,
            is_ours=is_ours,
        )
        self.listed = asyncio.Event()
        """Set once GatherRuns have been listed."""

    async def run(self, tick_interval_s: float, compare_interval_s: float) -> None:
        """Follow and tick until cancelled."""
        while not await self.list_whole():  # noqa: ASYNC110 - what is waited for is asked for
            await asyncio.sleep(RETRY_S)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._versions.run())
            group.create_task(self._tick(tick_interval_s))
            await self._versions.synced.wait()
            while True:
                self.compare()
                await asyncio.sleep(compare_interval_s)

    async def _tick(self, interval_s: float) -> None:
        while True:
            due = [r for r in self._cache.all() if not r.status.phase.is_final or r.is_being_deleted]
            round_s = round_of(len(due), interval_s)
            for number, run in enumerate(due, start=1):
                self._queue.tick(run.metadata.uid, round_s)
                if number % BURST == 0:
                    await asyncio.sleep(round_s * BURST / len(due))
            await asyncio.sleep(round_s * (len(due) % BURST) / len(due) if due else interval_s)
            for uid in self._cache.expired(datetime.now(UTC)):
                self._queue.add(uid)

    async def list_whole(self) -> bool:
        """List GatherRuns and queue all that are not done with; return whether the API answered."""
        try:
            await self._cluster.list_runs(self._cache.put)
        except ClusterError as error:
            if str(error) != self._last_error:  # logged once, not every second
                hint = "is the CRD installed?" if isinstance(error, Missing) else ""
                logger.warning("listing GatherRuns failed", extra={"error": str(error), "hint": hint})
            self._last_error = str(error)
            return False
        RELISTS.labels(kind="gatherruns", reason="whole").inc()
        for run in self._cache.all():
            self._queue.add(run.metadata.uid)
        self._health.listed_s = time.monotonic()
        self.listed.set()
        return True

    def compare(self) -> None:
        """Hold what kopf's watch has shown against what ours has, and count runs."""
        seen = [v for v in self._versions.all() if not v.is_ended]
        self._health.canary.listed((v.run_uid, version_number(v.resource_version)) for v in seen)
        self._health.listed_s = max((self._versions.last_seen_s, *self._health.informers_seen_s()))
        if not self._is_acting():
            RUNS.clear()
            return
        for phase, count in self._cache.phases().items():
            RUNS.labels(phase=phase).set(count)

    def _seen(self, uid: str) -> None:
        for version in self._versions.of_run(uid):
            if self._cache.note(version):
                self._queue.add(uid, is_asked_for=self._cache.is_asked_for(uid))

    def _gone(self, version: RunVersion) -> None:
        self._cache.remove(version.run_uid)
        self._queue.add(version.run_uid, is_asked_for=True)


def round_of(runs: int, interval_s: float) -> float:
    """Return in how many seconds the ticker brings so many runs once each."""
    return max(interval_s, runs / TICKS_PER_S)


def delivery(
    cache: RunCache, inbox: Inbox, canary: WatchCanary, ends: UnshownEnds
) -> Callable[[str, dict[str, Any]], None]:
    """Return what takes in each change that kopf's watch brings, by its type and with the whole run."""

    def deliver(kind: str, body: dict[str, Any]) -> None:
        metadata = body["metadata"]
        uid = metadata["uid"]
        canary.delivered(uid, version_number(metadata.get("resourceVersion", "")))
        before = cache.get(uid)
        ends.saw(before, body)
        if kind == "DELETED" and _has_left(body):
            # It was marked as ended, in the write that took our finalizer off; it comes as it was before.
            others = [f for f in metadata.get("finalizers") or [] if f != names.FINALIZER]
            cache.put({**body, "metadata": {**metadata, "finalizers": others}})
            return
        if kind == "DELETED":
            cache.remove(uid)
        else:
            cache.put(body)
        after = cache.get(uid)
        is_wanted = is_asked_for(before, after)
        # An echo of what was known already, or of what is being written, makes no pass.
        if kind == "DELETED" or is_wanted or not (after is before or cache.is_being_written(uid)):
            inbox.add(uid, is_asked_for=is_wanted)

    return deliver


def _has_left(body: dict[str, Any]) -> bool:
    """Return whether a run that kopf's watch calls deleted has only left what it watches.

    Of a run that ended unmarked and is gone the other watch says so.
    """
    phase = (body.get("status") or {}).get("phase")
    return phase in FINAL_PHASES and not body["metadata"].get("deletionTimestamp")
