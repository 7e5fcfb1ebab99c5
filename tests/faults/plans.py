"""Which faults are injected where: one plan for each, with a name that replays it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.scenarios import SCENARIOS, Scenario
from tests.support.kubernetes.api_proxy import (
    EVENT_FAULTS,
    KILLS,
    STALE,
    STREAM_FAULTS,
    WRITE_FAULTS,
    Fault,
    is_event,
    is_list,
    is_write,
)

KILLED: Final = ("normal", "delete", "cancel", "failing", "two", "suspend", "upgrade", "dead-node")
REFUSED: Final = ("normal", "delete", "failing", "suspend")
WATCHED: Final = ("normal", "delete", "failing")
STREAMS_BROKEN_AT: Final = 3
"""A watch is broken at its first event, one in the middle and its last."""
WATCHED_KINDS: Final = ("gatherruns", "jobs", "pods")

SAMPLE: Final = (
    "normal/kill-before/post-jobs-2",
    "normal/kill-after/patch-gatherruns-status-2",
    "delete/kill-before/delete-jobs-1",
    "delete/kill-after/patch-gatherruns-2",
    "cancel/kill-before/patch-gatherruns-status-1",
    "cancel/kill-after/delete-jobs-1",
    "failing/kill-before/post-jobs-2",
    "failing/kill-after/post-configmaps-1",
    "two/kill-before/film-b-post-configmaps-1",
    "two/kill-after/film-a-post-jobs-2",
    "upgrade/kill-before/post-jobs-3",
    "upgrade/kill-after/post-jobs-2",
    "suspend/kill-before/patch-jobs-1",
    "suspend/kill-after/patch-jobs-1",
    "dead-node/kill-before/post-jobs-2",
    "dead-node/kill-after/post-jobs-3",
    "normal/409/patch-gatherruns-status-1",
    "normal/429/patch-gatherruns-1",
    "normal/500/post-configmaps-1",
    "normal/503/post-jobs-1",
    "normal/403/post-jobs-2",
    "delete/504/delete-jobs-1",
    "normal/drop-before/post-jobs-3",
    "normal/drop-after/post-jobs-1",
    "delete/delay/patch-gatherruns-1",
    "normal/close/watch-pods-story-modified-1",
    "normal/reset/watch-jobs-story-added-1",
    "normal/410/watch-pods-character-added-1",
    "failing/error/watch-jobs-story-added-1",
    "normal/torn/watch-gatherruns-modified-1",
    "failing/silent/watch-pods-story-added-1",
    "failing/lose/watch-jobs-story-modified-3",
    "normal/lose/watch-gatherruns-added-1",
    "normal/double/watch-pods-story-modified-2",
    "normal/swap/watch-jobs-story-added-1",
    "delete/stale/list-run-pods-1",
)
"""At least one for each row of the table."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One fault in one scenario."""

    scenario: str
    fault: Fault

    @property
    def name(self) -> str:
        """What replays it."""
        return f"{self.scenario}/{self.fault.kind}/{self.fault.point}"

    @property
    def row(self) -> str:
        """The line of the table that it counts in."""
        kind = self.fault.kind
        if kind in KILLS:
            return f"killed at a write, {self.scenario}"
        if kind == STALE:
            return "stale list"
        if kind in EVENT_FAULTS:
            return f"one event: {kind}"
        return f"watch: {kind}" if kind in STREAM_FAULTS else f"a write: {kind}"


def parse_plan(name: str) -> Plan:
    """Return the plan of that name; raises ValueError."""
    scenario, _, rest = name.partition("/")
    kind, _, point = rest.partition("/")
    known = {*KILLS, *WRITE_FAULTS, *STREAM_FAULTS, *EVENT_FAULTS, STALE}
    if scenario not in SCENARIOS or kind not in known or not point:
        raise ValueError(f"no such plan: {name}; --list shows all")
    return Plan(scenario, Fault(kind, point))


def stable(recordings: Sequence[Sequence[str]]) -> list[str]:
    """Return the points that every recording has, in the order of the first."""
    return [p for p in recordings[0] if all(p in other for other in recordings[1:])]


def plans_of(scenario: Scenario, points: Sequence[str]) -> list[Plan]:
    """Return all plans for a scenario that passes these points when nothing is broken."""
    name, faults = scenario.name, list[Fault]()
    at_writes = [p for p in points if is_write(p)]
    if name in KILLED:
        faults += [Fault(kind, p) for p in at_writes for kind in KILLS]
    if name in REFUSED:
        faults += [Fault(kind, p) for p in at_writes for kind in WRITE_FAULTS]
    if name in WATCHED:
        events = [p for p in points if is_event(p)]
        faults += [Fault(kind, p) for p in _spread(events) for kind in STREAM_FAULTS]
        faults += [Fault(kind, p) for p in events for kind in EVENT_FAULTS]
        faults += [Fault(STALE, p) for p in points if is_list(p)]
    return [Plan(name, fault) for fault in faults]


def _spread(events: Sequence[str]) -> list[str]:
    """Return a few events of each kind."""
    found: list[str] = []
    for kind in WATCHED_KINDS:
        some = [p for p in events if f"watch-{kind}-" in p]
        last = len(some) - 1
        places = (round(last * n / (STREAMS_BROKEN_AT - 1)) for n in range(STREAMS_BROKEN_AT))
        found += dict.fromkeys(some[place] for place in places)
    return found
