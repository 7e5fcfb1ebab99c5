"""The GatherRuns as last seen, by UID: from kopf's watch, from lists and from the answers to our writes."""

import logging
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRun, parse_run

logger = logging.getLogger(__name__)


def is_asked_for(before: GatherRun | None, after: GatherRun | None) -> bool:
    """Return whether a person has changed what is wanted: a new run, another spec, a deletion."""
    if after is None or before is None:
        return after is not before
    old, new = before.metadata, after.metadata
    return old.generation != new.generation or before.is_being_deleted != after.is_being_deleted


def version_number(resource_version: str) -> int:
    """Return a resourceVersion as a number; 0 if it is none.

    Kubernetes promises since 1.35 that versions of one resource type compare as numbers; etcd's always did.
    """
    return int(resource_version) if resource_version.isdecimal() else 0


class RunCache:
    """Keeps the newest known version of each run."""

    def __init__(self) -> None:
        self._runs: dict[str, GatherRun] = {}

    def get(self, uid: str) -> GatherRun | None:
        """Return the run, or None if it does not exist."""
        return self._runs.get(uid)

    def all(self) -> list[GatherRun]:
        """Return all runs."""
        return list(self._runs.values())

    def put(self, body: dict[str, Any]) -> GatherRun | None:
        """Keep the run unless a newer version is known; return what is kept, or None if it cannot be read."""
        try:
            run = parse_run(body)
        except ValidationError as error:
            name = body.get("metadata", {}).get("name", "?")
            logger.warning("unreadable GatherRun", extra={"run": name, "error": str(error)})
            return None
        known = self._runs.get(run.metadata.uid)
        if known is not None and _version(known) > _version(run):
            return known
        self._runs[run.metadata.uid] = run
        return run

    def remove(self, uid: str) -> None:
        """Forget the run."""
        self._runs.pop(uid, None)

    def replace(self, bodies: Iterable[dict[str, Any]], resource_version: str) -> set[str]:
        """Take a full list of that version as the truth; return the UIDs of runs that changed or are gone.

        Lists are read consistently: what they do not name is gone, unless it is newer than the list.
        """
        before = dict(self._runs)
        listed = {run.metadata.uid for body in bodies if (run := self.put(body)) is not None}
        taken = version_number(resource_version)
        gone = {uid for uid, run in before.items() if uid not in listed and _version(run) <= taken}
        for uid in gone:
            self.remove(uid)
        return gone | {uid for uid in listed if before.get(uid) != self._runs[uid]}

    def is_stopping(self, uid: str) -> bool:
        """Return whether the run is to be stopped and still has something to stop."""
        run = self._runs.get(uid)
        return run is not None and (
            run.is_being_deleted or (run.spec.cancel and not run.status.phase.is_final)
        )

    def phases(self) -> dict[RunPhase, int]:
        """Return how many runs are in each phase."""
        counts = dict.fromkeys(RunPhase, 0)
        for run in self._runs.values():
            counts[run.status.phase] += 1
        return counts


def _version(run: GatherRun) -> int:
    return version_number(run.metadata.resource_version)
