"""The only writer of GatherRun status: on change, at most so often per run, never over a newer version.

Kubernetes Events follow a write that succeeded, and only for transitions.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from gather_clients.backoff import Backoff
from gather_clients.kube_api.cluster_errors import Conflict, Refused
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import GatherRun, GatherRunStatus, dump_status
from gather_operator.decisions.status.kube_events import KubeEvent, events_between
from gather_operator.errors import StatusRefused
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.event_poster import EventPoster
from gather_operator.metrics import STATUS_WRITES
from gather_operator.run_cache import RunCache

logger = logging.getLogger(__name__)

EVENTS_PER_WRITE_MAX: Final = 8
REPEAT_BACKOFF: Final = Backoff(1.0, 60.0)
"""Before a status that somebody else has changed is written once more."""
STEPS_FACTOR: Final = 3
WORDS_FACTOR: Final = 60
"""Two writes are so many intervals apart where departments have only started or succeeded or their numbers
have changed, or where only pods have begun or the words for a reason are others. A write costs the API server
as much as three Jobs."""
RUNS_AT_ONCE: Final = 25
STRETCH_MAX: Final = 4.0
"""With more runs at work than that, steps and numbers wait longer: so many runs' are written an interval."""
ORDINARY: Final = frozenset({DepartmentPhase.PENDING, DepartmentPhase.RUNNING})
ENDING: Final = frozenset({RunPhase.CANCELLING, RunPhase.SUSPENDED})
"""Somebody waits for what its words say."""
CRD_HINT: Final = "kubectl apply -f crds/ brings the definition of this version"


@dataclass(frozen=True, slots=True)
class _Written:
    at_s: float
    wanted: GatherRunStatus
    kept: GatherRunStatus | None
    """What the API server made of it: a CRD of another version drops fields that it does not know."""
    repeats: int


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
        self._written: dict[str, _Written] = {}
        self._dropped: frozenset[str] = frozenset()
        self._poster = EventPoster(cluster, clock)

    async def write(self, run: GatherRun, status: GatherRunStatus) -> float | None:
        """Write the status if it differs; return None if it stands, else after how many seconds to try again.

        Raises ClusterError, of it StatusRefused; after a conflict the newer version is in the cache.
        """
        uid, stretch = run.metadata.uid, self._cache.at_work / RUNS_AT_ONCE
        last = self._written.get(uid)
        same = last if last is not None and last.wanted == status else None
        if _says_nothing_new(run, status) or (same is not None and run.status == same.kept):
            await self._poster.add(run, (), stretch)
            return None
        repeats = same.repeats + 1 if same is not None else 0
        interval_s = self._interval_s * _patience(run.status, status, min(stretch, STRETCH_MAX))
        if (wait_s := self._wait_s(last, repeats, interval_s)) > 0:
            STATUS_WRITES.labels(result="throttled").inc()
            return wait_s
        self._written[uid] = _Written(self._clock(), status, None, repeats)
        name = run.metadata.name
        try:
            with self._cache.writing(uid):
                body = await self._cluster.put_status(
                    name, run.metadata.resource_version, dump_status(status)
                )
                stored = self._cache.put(body)
        except Conflict:
            STATUS_WRITES.labels(result="conflict").inc()
            self._cache.put(await self._cluster.get_run(name))
            raise
        except Refused as error:
            STATUS_WRITES.labels(result="refused").inc()
            self._written.pop(uid, None)
            raise StatusRefused(str(error)) from error
        STATUS_WRITES.labels(result="written").inc()
        is_that = stored is not None and stored.metadata.resource_version == _version_of(body)
        kept = self._kept(body, status, stored.status if stored is not None and is_that else None)
        # What stands is the same object in the cache, which a thousand runs would hold twice.
        self._written[uid] = _Written(self._clock(), kept if kept == status else status, kept, repeats)
        await self._poster.add(run, events_between(run.status, status)[:EVENTS_PER_WRITE_MAX], stretch)
        return None

    async def post(self, run: GatherRun, event: KubeEvent) -> None:
        """Post a Kubernetes Event at once, if that is possible."""
        await self._poster.post(run, event)

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run that is gone."""
        self._written.pop(run_uid, None)
        self._poster.forget(run_uid)

    def _wait_s(self, last: _Written | None, repeats: int, interval_s: float) -> float:
        if last is None:
            return 0.0
        # The first repetition follows a write whose answer was lost.
        pause_s = REPEAT_BACKOFF.wait_s(repeats - 1) if repeats > 1 else 0.0
        return last.at_s + max(interval_s, pause_s) - self._clock()

    def _kept(
        self, body: dict[str, Any], status: GatherRunStatus, kept: GatherRunStatus | None
    ) -> GatherRunStatus | None:
        """Return the status as it is stored, and say once which fields the API server has dropped.

        `kept` is the same, where it was read already.
        """
        try:
            kept = kept or GatherRunStatus.model_validate(body.get("status") or {})
        except ValidationError:
            return None
        dropped = frozenset() if kept == status else _missing(dump_status(status), body.get("status") or {})
        if dropped - self._dropped:
            logger.error(
                "the CRD in the cluster is of another version: it drops fields of the status",
                extra={"fields": sorted(dropped), "hint": CRD_HINT},
            )
            self._dropped |= dropped
        return kept


def _version_of(body: dict[str, Any]) -> str:
    return str((body.get("metadata") or {}).get("resourceVersion", ""))


def _patience(before: GatherRunStatus, after: GatherRunStatus, stretch: float) -> float:
    """Return how many intervals a change may wait: one that somebody may have to act on waits for one."""
    if _news(before) != _news(after):
        return 1
    is_words_alone = after.phase not in ENDING and _without_words(before) == _without_words(after)
    return WORDS_FACTOR * max(1.0, stretch) if is_words_alone else max(STEPS_FACTOR, stretch)


def _news(status: GatherRunStatus) -> tuple[Any, ...]:
    """Return what of a status is more than that the run goes its way."""
    conditions = [(c.type, c.status, c.reason) for c in status.conditions]
    unusual = [
        (d.slug, d.phase, d.reason)
        for d in status.departments
        if d.phase is not DepartmentPhase.SUCCEEDED and (d.reason or d.phase not in ORDINARY)
    ]
    return status.phase, status.observed_generation, conditions, unusual


def _without_words(status: GatherRunStatus) -> GatherRunStatus:
    """Return the status without what Kubernetes says to a reason, and without how many pods have begun."""
    departments = [d.model_copy(update={"attempt": 0, "message": ""}) for d in status.departments]
    conditions = [c.model_copy(update={"message": ""}) for c in status.conditions]
    return status.model_copy(update={"departments": departments, "conditions": conditions})


def _says_nothing_new(run: GatherRun, status: GatherRunStatus) -> bool:
    """Return whether the status stands, or a new run's would say no more than that it was seen."""
    written = run.status
    if written.observed_generation == 0 and not written.conditions:
        return status.model_copy(update={"observed_generation": 0}) == written
    return status == written


def _missing(wanted: dict[str, Any], kept: dict[str, Any]) -> frozenset[str]:
    """Return the names of fields that were written and are not stored, those of departments with a dot."""
    names = {name for name in wanted if name not in kept}
    pairs = zip(wanted.get("departments") or [], kept.get("departments") or [], strict=False)
    for one, other in pairs:
        names |= {f"departments.{name}" for name in one if name not in other}
    return frozenset(names)
