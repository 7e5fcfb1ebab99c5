"""One state of the model: a run's resource, what it owns, and what its operator remembers.

Everything is a tuple of small numbers, so that a state is its own key. Times are left out: clocks advance by
ticks, and each thing that ages says in how many.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from gather_contracts.resource import OnDepartmentFailure

SLUGS: Final = ("story", "world", "music", "light")
"""The first three take part, as long as the CMS does not change its mind."""
READINGS: Final = (("story", "world", "music"), ("music", "story", "light"))
"""What the CMS names, in its order, before and after somebody edits it."""
STOP_TICKS: Final = 3
"""Ticks after which stopping a run is overdue."""


@dataclass(frozen=True, slots=True)
class Config:
    """What differs between the runs that are searched."""

    max_iterations: int
    retries: int
    on_failure: OnDepartmentFailure
    webhook: bool = False


CONFIGS: Final = (
    Config(4, 1, OnDepartmentFailure.CONTINUE),
    Config(4, 0, OnDepartmentFailure.STOP),
    Config(2, 0, OnDepartmentFailure.CONTINUE),
)
"""A run with an attempt to spare; one that stops at a failure; one with fewer iterations than departments."""


class Phase(IntEnum):
    """How a pod stands. Those from GOOD on have ended."""

    PENDING = 0
    RUNNING = 1
    LINGERING_GOOD = 2
    """Its worker ended with a result; a sidecar runs on."""
    LINGERING_BAD = 3
    GOOD = 4
    GOOD_BROKEN = 5
    """Its worker ended with a result, a container beside it badly."""
    UNREADABLE = 6
    """Ended with exit code 0, and the result was lost."""
    AGAIN = 7
    """Failed, and another attempt may work."""
    STOPPED = 8
    """Ended by SIGTERM after saving."""
    NEVER = 9
    """Failed with the exit code that allows no other attempt."""
    DISRUPTED = 10
    """Evicted: it costs no attempt."""
    FENCED = 11


ALIVE: Final = (Phase.PENDING, Phase.RUNNING)
"""The worker may be at work, now or soon."""
WITH_RESULT: Final = (Phase.LINGERING_GOOD, Phase.GOOD, Phase.GOOD_BROKEN)
"""The department is done."""
FAILURES: Final = (Phase.GOOD_BROKEN, Phase.AGAIN, Phase.STOPPED, Phase.NEVER, Phase.FENCED)
"""Failed as the Job counts it."""


class JobPhase(IntEnum):
    """How a Job stands."""

    ACTIVE = 0
    COMPLETE = 1
    FAILED = 2


class Job(NamedTuple):
    """A Job of the API server."""

    department: int
    number: int
    """1 to 3 for the names that the operator makes by rule; others get a number from 10 on."""
    phase: int
    terminating: int
    failed: int
    """Pods that have failed, as far as the Job controller has counted."""
    limit: int
    """Iterations that its worker is allowed."""
    pods: int = 0
    """Pods that were made for it."""
    suspended: int = 0

    @property
    def key(self) -> tuple[int, int]:
        """Return what names it."""
        return self[:2]


class Pod(NamedTuple):
    """A pod of the API server."""

    department: int
    job: int
    number: int
    phase: int
    terminating: int
    dead: int
    """Its node is dead: nothing of it changes."""
    counted: int
    """The Job controller has counted its end."""
    iterations: int
    """In its result."""

    @property
    def key(self) -> tuple[int, int, int]:
        """Return what names it."""
        return self[:3]


class Run(NamedTuple):
    """The GatherRun."""

    held: int
    """Our finalizer stands on it."""
    deleted: int
    """1: it is being deleted; 2: and has been for a while."""
    cancel: int
    suspend: int
    generation: int
    status: int
    """Number of the status among those that were ever written."""


class State(NamedTuple):
    """The whole world."""

    config: int
    run: Run | None
    document: int
    """Which document the ConfigMap holds; 0: there is none."""
    cms: int
    """0: silent; 1: unavailable; from 2 on: names the departments of that reading."""
    jobs: tuple[Job, ...]
    pods: tuple[Pod, ...]
    done: tuple[int, ...]
    """Iterations in each department's checkpoint."""
    log: int
    """Which of the run's events the log has, as bits."""
    redis: int
    # What the operator's process remembers.
    seen_run: Run | None
    """An old view of the run; None: as it is."""
    seen_jobs: tuple[Job, ...] | None
    seen_pods: tuple[Pod, ...] | None
    known: int
    """The document that it has read."""
    gone: tuple[Pod, ...]
    """Pods that it has seen go."""
    ending: tuple[tuple[tuple[int, int, int], int], ...]
    """Pods that it has seen terminating, and whether for too long."""
    stopping: int
    """0: not; else one more than the ticks since it first tried to stop the run."""
    woken: int
    """Whether the run stands in its queue; only where nothing else makes passes."""
    pending: tuple[tuple[Any, ...], ...]
    """Writes that the pass under way still makes."""
    basis: Run | None
    """The run as the pass under way has read it."""
    # What only the model knows.
    succeeded: int
    """Departments of which a pod ended with a result, as bits."""
    failed: int
    """Departments whose Job has failed, as bits."""
    finished: int
    """Departments whose checkpoint says that nothing is left to do, as bits."""
    made: tuple[tuple[int, int], ...]
    """Jobs that were ever made."""
    faults: int
    """How often the adversary may still act."""


NEW_PROCESS: Final[Mapping[str, Any]] = {
    "seen_run": None,
    "seen_jobs": None,
    "seen_pods": None,
    "known": 0,
    "gone": (),
    "ending": (),
    "stopping": 0,
    "woken": 1,
    "pending": (),
    "basis": None,
}
"""What an operator that has just started knows and is about to do; it lists everything."""


def fresh(config: int, faults: int) -> State:
    """Return the state right after `kubectl apply`."""
    return State(
        config=config,
        run=Run(0, 0, 0, 0, 1, 0),
        document=0,
        cms=0,
        jobs=(),
        pods=(),
        done=(0,) * len(SLUGS),
        log=0,
        redis=1,
        **NEW_PROCESS,
        succeeded=0,
        failed=0,
        finished=0,
        made=(),
        faults=faults,
    )


class InvariantError(AssertionError):
    """An invariant does not hold; its first argument names it."""

    def __init__(self, invariant: str, details: str) -> None:
        super().__init__(f"{invariant}: {details}")
        self.invariant = invariant
