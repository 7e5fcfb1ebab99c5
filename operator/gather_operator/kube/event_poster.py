"""Posts Kubernetes Events for runs: warnings and ends at once, the rest of a run's together, seconds later.

A run whose departments end within seconds would otherwise cost the API server more Events than Jobs.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from gather_clients.kube_api.cluster_errors import ClusterError
from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRun
from gather_operator.decisions.status.kube_events import MESSAGE_MAX, WARNING, KubeEvent, build_event
from gather_operator.kube.cluster import Cluster

logger = logging.getLogger(__name__)

INTERVAL_S: Final = 10.0
"""Before each Event of one run, its first too, but for warnings and its end."""
STRETCH_MAX: Final = 30.0
"""With many runs at work it is so many times as long at most: kubectl describe is for one run."""
PENDING_MAX: Final = 64
STARTED: Final = "DepartmentStarted"


class EventPoster:
    """Remembers, per run, what is still to be said, and when."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._cluster = cluster
        self._clock = clock
        self._pending: dict[str, list[KubeEvent]] = {}
        self._due_s: dict[str, float] = {}

    async def add(self, run: GatherRun, events: Sequence[KubeEvent], stretch: float = 1.0) -> None:
        """Take the run's Events, and post all that is due; between two are `stretch` intervals."""
        uid = run.metadata.uid
        if events:
            self._pending.setdefault(uid, []).extend(events)
            del self._pending[uid][:-PENDING_MAX]
        pending = self._pending.get(uid)
        if not pending:
            return
        now_s, interval_s = self._clock(), INTERVAL_S * min(max(stretch, 1.0), STRETCH_MAX)
        if now_s < self._due_s.setdefault(uid, now_s + interval_s) and not any(map(_is_urgent, pending)):
            return
        del self._pending[uid]
        self._due_s[uid] = now_s + interval_s
        for event in joined(pending):
            await self.post(run, event)

    async def post(self, run: GatherRun, event: KubeEvent) -> None:
        """Post one Event, if that is possible: it is a courtesy, the status already says it."""
        try:
            await self._cluster.create_event(build_event(run, event))
        except ClusterError as error:
            logger.warning("Kubernetes Event not posted", extra={"reason": event.reason, "error": str(error)})

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run that is gone."""
        self._pending.pop(run_uid, None)
        self._due_s.pop(run_uid, None)


def joined(events: Sequence[KubeEvent]) -> list[KubeEvent]:
    """Return warnings as they are, and all others as one: its reason is the latest that is no mere start."""
    ordinary = [event for event in events if event.kind != WARNING]
    if len(ordinary) < 2:  # noqa: PLR2004 - nothing to join
        return list(events)
    reason = next((e.reason for e in reversed(ordinary) if e.reason != STARTED), STARTED)
    message = " ".join(event.message for event in ordinary)
    whole = replace(ordinary[-1], reason=reason, message=message[:MESSAGE_MAX])
    return [*(event for event in events if event.kind == WARNING), whole]


def _is_urgent(event: KubeEvent) -> bool:
    return event.kind == WARNING or event.reason in {*RunPhase, "Cancelling"}
