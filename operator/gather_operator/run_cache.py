"""The GatherRuns as last read, by UID: from the first list, kopf's watch and the answers to our calls.

A second watch only says which version there is; a pass reads the run where that is newer.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRun, parse_run

logger = logging.getLogger(__name__)


def is_asked_for(before: GatherRun | None, after: GatherRun | None) -> bool:
    """Return whether a person has changed what is wanted: a new run, another spec, a deletion."""
    if after is None or before is None:
        return after is not before
    return _is_another_wish(before, after.metadata.generation, is_being_deleted=after.is_being_deleted)


def _is_another_wish(before: GatherRun, generation: int, *, is_being_deleted: bool) -> bool:
    return (before.metadata.generation, before.is_being_deleted) != (generation, is_being_deleted)


def version_number(resource_version: str) -> int:
    """Return a resourceVersion as a number; 0 if it is none.

    Kubernetes promises since 1.35 that versions of one resource type compare as numbers; etcd's always did.
    """
    return int(resource_version) if resource_version.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class EndedRun:
    """All that is kept of a run that has ended and holds no finalizer: nothing is left to do for it."""

    name: str
    version: int
    phase: RunPhase
    delete_at: datetime | None
    """When the resource is to be deleted; None: never."""


@dataclass(frozen=True, slots=True)
class RunVersion:
    """That a version of a run exists, by its metadata."""

    name: str
    run_uid: str
    resource_version: str
    generation: int = 1
    is_being_deleted: bool = False
    is_ended: bool = False
    """It is marked so, and kopf's watch does not show it."""


class RunCache:
    """Keeps the newest known version of each run; of ended ones a few words.

    `ttl_s` is for runs that say nothing of their own; None: ended runs stay. `is_ours`: the run is this
    shard's; others are not kept.
    """

    def __init__(self, ttl_s: int | None = None, is_ours: Callable[[str], bool] = lambda _: True) -> None:
        self._ttl_s = ttl_s
        self._is_ours = is_ours
        self._runs: dict[str, GatherRun] = {}
        self._ended: dict[str, EndedRun] = {}
        self._stale: dict[str, tuple[RunVersion, bool]] = {}
        self._written: set[str] = set()

    @contextmanager
    def writing(self, uid: str) -> Iterator[None]:
        """Say that a pass writes the run meanwhile: what is seen of it is most likely that."""
        self._written.add(uid)
        try:
            yield
        finally:
            self._written.discard(uid)

    def is_being_written(self, uid: str) -> bool:
        """Return whether a pass is writing the run."""
        return uid in self._written

    def note(self, seen: RunVersion) -> bool:
        """Record that this version exists; return whether it is newer than what is known and no echo."""
        uid, version = seen.run_uid, version_number(seen.resource_version)
        known = self._version(uid)
        if known is not None and (known > version or known == version > 0):
            return False
        run = self._runs.get(uid)
        is_new = run is None or _is_another_wish(run, seen.generation, is_being_deleted=seen.is_being_deleted)
        self._stale[uid] = (seen, is_new)
        return is_new or uid not in self._written

    def stale(self, uid: str) -> str | None:
        """Return the run's name if a newer version exists than is known."""
        found = self._stale.get(uid)
        return None if found is None else found[0].name

    def is_asked_for(self, uid: str) -> bool:
        """Return whether a person has made the newer version: a new run, another spec, a deletion."""
        return self._stale.get(uid, (None, False))[1]

    def settle(self, uid: str) -> None:
        """Record that the run was just read."""
        self._stale.pop(uid, None)

    def get(self, uid: str) -> GatherRun | None:
        """Return the run, or None if it does not exist or nothing is left to do for it."""
        return self._runs.get(uid)

    def all(self) -> list[GatherRun]:
        """Return all runs for which something is left to do."""
        return list(self._runs.values())

    @property
    def at_work(self) -> int:
        """Return for how many runs something is left to do."""
        return len(self._runs)

    def ended(self, uid: str) -> EndedRun | None:
        """Return what is kept of a run for which nothing is left to do."""
        return self._ended.get(uid)

    def put(self, body: dict[str, Any]) -> GatherRun | None:
        """Keep the run unless a newer version is known.

        Return it as kept whole, or None if nothing is left to do for it, by this shard, or it cannot be read.
        """
        metadata = body.get("metadata", {})
        uid, version = str(metadata.get("uid", "")), version_number(str(metadata.get("resourceVersion", "")))
        if not self._is_ours(uid):
            return None
        known = self._version(uid)
        if known is not None and (known > version or known == version > 0):
            return self._runs.get(uid)
        try:
            run = parse_run(body)
        except ValidationError as error:
            logger.warning(
                "unreadable GatherRun", extra={"run": metadata.get("name", "?"), "error": str(error)}
            )
            return None
        self._runs.pop(uid, None)
        self._ended.pop(uid, None)
        if uid in self._stale and version_number(self._stale[uid][0].resource_version) <= version:
            self.settle(uid)
        if run.status.phase.is_final and not run.is_being_deleted and not run.is_held:
            self._ended[uid] = EndedRun(
                run.metadata.name, version, run.status.phase, delete_at(run, self._ttl_s)
            )
            return None
        self._runs[uid] = run
        return run

    def remove(self, uid: str) -> None:
        """Forget the run."""
        self._runs.pop(uid, None)
        self._ended.pop(uid, None)
        self._stale.pop(uid, None)

    def is_stopping(self, uid: str) -> bool:
        """Return whether the run is to be stopped and still has something to stop."""
        run = self._runs.get(uid)
        is_known = run is not None and (
            run.is_being_deleted or (run.spec.cancel and not run.status.phase.is_final)
        )
        return is_known or self.is_asked_for(uid)

    def is_to_begin(self, uid: str) -> bool:
        """Return whether the run has no departments yet: nobody waits for its next one."""
        run = self._runs.get(uid)
        return run is not None and not run.status.departments

    def expired(self, now: datetime) -> list[str]:
        """Return the UIDs of ended runs whose time is over."""
        return [uid for uid, run in self._ended.items() if run.delete_at is not None and run.delete_at <= now]

    def phases(self) -> dict[RunPhase, int]:
        """Return how many runs are in each phase."""
        counts = dict.fromkeys(RunPhase, 0)
        for run in self._runs.values():
            counts[run.status.phase] += 1
        for ended in self._ended.values():
            counts[ended.phase] += 1
        return counts

    def _version(self, uid: str) -> int | None:
        if (ended := self._ended.get(uid)) is not None:
            return ended.version
        run = self._runs.get(uid)
        return None if run is None else version_number(run.metadata.resource_version)


def delete_at(run: GatherRun, default_ttl_s: int | None) -> datetime | None:
    """Return when an ended run's resource is to be deleted; None: never."""
    own_s, ended = run.spec.ttl_seconds_after_finished, run.status.completion_time
    ttl_s = default_ttl_s if own_s is None else own_s
    if ttl_s is None or ended is None:
        return None
    return datetime.fromisoformat(ended).astimezone(UTC) + timedelta(seconds=ttl_s)
