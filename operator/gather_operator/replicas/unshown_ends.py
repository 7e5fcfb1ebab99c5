"""Departments that have ended and that no scrape has shown yet: a new leader counts them for one that died.

The replica that acts puts on the Lease, at each scrape, up to which version of GatherRuns its numbers go.
Those that wait see the same ends by their own watch and remember them until the Lease says that they were
shown.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from gather_contracts.resource import GatherRun, GatherRunStatus, parse_run
from gather_operator.decisions.assessment import FINAL
from gather_operator.decisions.facts import PodFacts
from gather_operator.run_cache import version_number
from gather_operator.worker_metrics import count_ends

REMEMBERED_MAX: Final = 1000
"""The newest; some hours of many runs, and a scrape comes every minute."""

Count = Callable[[GatherRun, GatherRunStatus, Sequence[PodFacts]], None]


@dataclass(frozen=True, slots=True)
class _End:
    version: int
    before: GatherRun
    after: GatherRunStatus
    pods: Sequence[PodFacts]


class UnshownEnds:
    """What a replica that waits would have to count."""

    def __init__(
        self,
        is_acting: Callable[[], bool],
        shown: Callable[[], str],
        pods_of: Callable[[str], Sequence[PodFacts]],
        count: Count = count_ends,
    ) -> None:
        """Build the memory of one replica.

        Args:
            is_acting: whether this replica counts by itself.
            shown: what stands on the Lease.
            pods_of: a run's pods, the oldest first.
            count: counts what has ended with a status.
        """
        self._is_acting = is_acting
        self._shown = shown
        self._pods_of = pods_of
        self._count = count
        self._ends: deque[_End] = deque(maxlen=REMEMBERED_MAX)
        self._newest = 0

    def saw(self, before: GatherRun | None, body: dict[str, Any]) -> None:
        """Take note of a run that the watch has brought; `before` is how it was known until now."""
        version = version_number(str(body["metadata"].get("resourceVersion", "")))
        self._newest = max(self._newest, version)
        if self._is_acting() or before is None or _ended(body) <= _known_ended(before):
            return
        try:
            after = parse_run(body).status
        except ValidationError:
            return
        shown = version_number(self._shown())
        while self._ends and self._ends[0].version <= shown:
            self._ends.popleft()
        if not shown:
            return  # nobody scrapes the replica that acts, or it is of an older version
        self._ends.append(_End(version, before, after, self._pods_of(before.metadata.uid)))

    def shown(self) -> str:
        """Return what a scrape that is answered now shows; it goes onto the Lease."""
        return str(self._newest) if self._newest else ""

    def take_over(self, shown: str) -> int:
        """Count what the replica before has not shown, by its own word alone; return how many ends."""
        until = version_number(shown)
        unshown = [end for end in self._ends if until and end.version > until]
        self._ends.clear()
        for end in unshown:
            self._count(end.before, end.after, end.pods)
        return len(unshown)


def _known_ended(run: GatherRun) -> int:
    ended = sum(department.phase in FINAL for department in run.status.departments)
    return ended + run.status.phase.is_final


def _ended(body: dict[str, Any]) -> int:
    """Return how much of a run has ended; cheap, since each event of a watch is asked."""
    status = body.get("status")
    if not isinstance(status, dict) or not isinstance(status.get("departments"), list):
        return 0
    ended = sum(isinstance(d, dict) and d.get("phase") in FINAL for d in status["departments"])
    return ended + ("completionTime" in status)
