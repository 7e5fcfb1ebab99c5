"""What a decision can ask for. Each action may be carried out twice and has the effect of once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gather_contracts.resource import GatherRunStatus
from gather_contracts.run_document import RunDocument


@dataclass(frozen=True, slots=True)
class HoldFinalizer:
    """Put our finalizer on the run, so that a deletion waits for its pods."""


@dataclass(frozen=True, slots=True)
class ReleaseFinalizer:
    """Take our finalizer off the run, so that it can go."""


@dataclass(frozen=True, slots=True)
class WriteDocument:
    """Write `run.json`."""

    document: RunDocument


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Start a department's Job; one that exists already is adopted."""

    department_index: int
    generation: int
    iterations: int


@dataclass(frozen=True, slots=True)
class SuspendJob:
    """Suspend a Job and mark it as ours to resume; its pods save and end."""

    name: str


@dataclass(frozen=True, slots=True)
class ResumeJob:
    """Take back our own suspension of a Job."""

    name: str


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job and, through the garbage collector, its pods."""

    name: str


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete a pod whose Job is gone, without waiting for the garbage collector."""

    name: str


Action = (
    HoldFinalizer
    | ReleaseFinalizer
    | WriteDocument
    | CreateJob
    | SuspendJob
    | ResumeJob
    | DeleteJob
    | DeletePod
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and the status that holds once it is done."""

    status: GatherRunStatus
    actions: tuple[Action, ...] = ()
    observe: Callable[[], GatherRunStatus] | None = field(default=None, compare=False)
    """Returns the status that holds if the actions fail; None: the same. Few passes want it."""

    @property
    def observed(self) -> GatherRunStatus:
        """Return the status that holds if the actions fail."""
        return self.status if self.observe is None else self.observe()
