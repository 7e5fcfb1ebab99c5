"""Whether the operator is alive and ready, by what it has received and the clock that it is given."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

API_ANSWERS_S: Final = 30.0
"""The API counts as answering if a list succeeded within this time."""
NO_EVENTS_S: Final = 180.0
"""A watch has shown nothing for this long although the API answers: only a restart can help."""


@dataclass(slots=True)
class _Missed:
    version: int
    since_s: float


class WatchCanary:
    """Knows whether kopf's watch still delivers, by comparing it with what lists show.

    A list that shows a newer version of a run than the watch has delivered starts a clock for that run; the
    watch delivering that version or a newer one stops it.
    """

    def __init__(self, silence_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`silence_s` is how long the watch may lag; `clock` counts seconds."""
        self._silence_s = silence_s
        self._clock = clock
        self._delivered: dict[str, int] = {}
        self._missed: dict[str, _Missed] = {}
        self._grace_until_s = clock() + silence_s
        self._broken_since_s: float | None = None

    def delivered(self, uid: str, version: int) -> None:
        """Record that the watch showed this version of a run."""
        self._delivered[uid] = max(version, self._delivered.get(uid, 0))
        missed = self._missed.get(uid)
        if missed is not None and missed.version <= version:
            del self._missed[uid]
        if not self._missed:
            self._broken_since_s = None

    def listed(self, versions: Iterable[tuple[str, int]]) -> None:
        """Record what a list showed: each run's UID and version."""
        known = dict(versions)
        for uid in (self._delivered.keys() | self._missed.keys()) - known.keys():
            self._delivered.pop(uid, None)
            self._missed.pop(uid, None)
        for uid, version in known.items():
            if self._delivered.get(uid, 0) < version and uid not in self._missed:
                self._missed[uid] = _Missed(version, self._clock())

    def is_silent(self) -> bool:
        """Return whether the watch has missed something for too long."""
        now_s = self._clock()
        if now_s < self._grace_until_s:
            return False
        return any(now_s - missed.since_s > self._silence_s for missed in self._missed.values())

    def restarted(self) -> None:
        """Record that the watch was started again; it gets time to show everything."""
        if self._broken_since_s is None and self.is_silent():
            self._broken_since_s = self._clock()
        self._grace_until_s = self._clock() + self._silence_s

    def broken_for_s(self) -> float:
        """Return for how long starting the watch again has not helped; 0 while it delivers."""
        return 0.0 if self._broken_since_s is None else self._clock() - self._broken_since_s


@dataclass(slots=True)
class Health:
    """What liveness and readiness depend on."""

    canary: WatchCanary
    informers_seen_s: Callable[[], list[float]]
    """When the API last answered each informer, on the monotonic clock."""
    is_synced: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    listed_s: float | None = None
    """When GatherRuns were last listed."""
    lease_trouble: Callable[[], str] = lambda: ""
    """Why this replica could neither act nor take over."""

    def trouble(self) -> str:
        """Return why the process should be restarted, or "" if it should not.

        An API that does not answer is no reason: a restart would not bring it back.
        """
        now_s = self.clock()
        if self.listed_s is None or now_s - self.listed_s > API_ANSWERS_S:
            return ""
        if self.canary.broken_for_s() > NO_EVENTS_S:
            return "the GatherRun watch receives no events"
        if any(now_s - seen_s > NO_EVENTS_S for seen_s in self.informers_seen_s()):
            return "the Job or pod watch receives no events"
        return ""

    def unready(self) -> str:
        """Return what keeps this replica from acting or taking over, "" if nothing does."""
        if self.listed_s is None or not self.is_synced():
            return "waiting for the first list of GatherRuns, Jobs and pods"
        return self.lease_trouble()
