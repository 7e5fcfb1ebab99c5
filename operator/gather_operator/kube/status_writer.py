"""The only writer of GatherRun status: on change, at most so often per run, never over a newer version.

Kubernetes Events follow a write that succeeded, and only for transitions.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from gather_contracts.resource import GatherRun, GatherRunStatus, dump_status
from gather_operator.decisions.kube_events import build_event, events_between
from gather_operator.errors import ClusterError, Conflict
from gather_operator.kube.cluster import Cluster
from gather_operator.metrics import STATUS_WRITES
from gather_operator.run_cache import RunCache

logger = logging.getLogger(__name__)

EVENTS_PER_WRITE_MAX: Final = 8


class StatusWriter:
    """Writes statuses and remembers when it last did, per run."""

    def __init__(
        self,
        cluster: Cluster,
        cache: RunCache,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`interval_s` is the shortest time between two writes of one run; `clock` counts seconds."""
        self._cluster = cluster
        self._cache = cache
        self._interval_s = interval_s
        self._clock = clock
        self._written_s: dict[str, float] = {}

    async def write(self, run: GatherRun, status: GatherRunStatus) -> float | None:
        """Write the status if it differs; return None if it stands, else after how many seconds to try again.

        Raises ClusterError; after a conflict the newer version is in the cache.
        """
        if status == run.status:
            return None
        name, uid, version = run.metadata.name, run.metadata.uid, run.metadata.resource_version
        wait_s = self._written_s.get(uid, -self._interval_s) + self._interval_s - self._clock()
        if wait_s > 0:
            STATUS_WRITES.labels(result="throttled").inc()
            return wait_s
        self._written_s[uid] = self._clock()
        try:
            body = await self._cluster.put_status(name, version, dump_status(status))
        except Conflict:
            STATUS_WRITES.labels(result="conflict").inc()
            self._cache.put(await self._cluster.get_run(name))
            raise
        STATUS_WRITES.labels(result="written").inc()
        self._cache.put(body)
        for event in events_between(run.status, status)[:EVENTS_PER_WRITE_MAX]:
            try:
                await self._cluster.create_event(build_event(run, event))
            except ClusterError as error:
                # An Event is a courtesy; the status already says it.
                logger.warning(
                    "Kubernetes Event not posted", extra={"reason": event.reason, "error": str(error)}
                )
        return None

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run that is gone."""
        self._written_s.pop(run_uid, None)
