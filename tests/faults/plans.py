"""Which faults are injected where: one plan for each, with a name that replays it."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
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


def sample(plans: Iterable[Plan]) -> list[Plan]:
    """Return one plan for each row and kind of fault, the same ones each time."""
    groups: dict[tuple[str, str], list[Plan]] = defaultdict(list)
    for plan in plans:
        groups[plan.row, plan.fault.kind].append(plan)
    return [some[zlib.crc32("".join(key).encode()) % len(some)] for key, some in groups.items()]
