"""What is known about a run's Jobs, pods and live numbers, without any Kubernetes type.

`kube/conversion.py` makes these from API objects; everything that decides reads nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gather_contracts.departments import CmsDepartment
from gather_contracts.resource import GatherRun
from gather_contracts.result import DepartmentResult
from gather_contracts.run_document import RunDocument


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """One condition of a Job or pod, in Kubernetes' words; its message is cut."""

    type: str
    status: str
    """True, False or Unknown."""
    reason: str = ""
    message: str = ""
    since: str = ""
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A department's Job."""

    name: str
    run_uid: str
    department_index: int
    is_terminating: bool = False
    is_complete: bool = False
    is_failed: bool = False
    """Its Failed condition stands: all attempts are used up or ruled out."""
    failure_reason: str = ""
    is_suspended: bool = False
    """Somebody, or a queue, holds it back: it has no pods."""
    is_suspended_by_us: bool = False
    """It bears the mark of `spec.suspend`: once it was suspended for the run's own sake."""
    is_queued: bool = False
    """It was handed to a queue (Kueue), which alone suspends and resumes it."""
    conditions: tuple[ConditionFacts, ...] = ()
    """FailureTarget, Failed and SuccessCriteriaMet, where they stand; Suspended also where it did."""
    created: str = ""
    """RFC 3339."""
    failed_pods: int = 0
    iterations: int = 0
    """Iterations that its worker was allowed."""
    resource_version: str = field(default="", compare=False)

    @property
    def is_finished(self) -> bool:
        """Return whether it will start no more pods."""
        return self.is_complete or self.is_failed


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One attempt of a department."""

    name: str
    run_uid: str
    job_name: str
    department_index: int
    phase: str = "Pending"
    is_terminating: bool = False
    is_gone: bool = False
    """It no longer exists; only its result is remembered."""
    is_given_up: bool = False
    """It was to end long ago and still stands: its node is dead, or a finalizer of somebody else holds it."""
    result: DepartmentResult | None = None
    exit_code: int | None = None
    """Of the worker's container; None until it has ended."""
    is_lingering: bool = False
    """Its worker has ended, and a container that nobody ends keeps it running, such as a mesh's sidecar."""
    created: str = ""
    """RFC 3339, so that attempts can be put in order."""
    started: str = ""
    """RFC 3339: when its container began, "" before that."""
    ended: str = ""
    reason: str = ""
    """Why it failed or what it waits for, in Kubernetes' words: OOMKilled, Evicted, Unschedulable."""
    message: str = ""
    """What Kubernetes says to that reason, cut."""
    waiting_since: str = ""
    """RFC 3339: since when its worker waits for a node or, if it has one, to begin; "" once it has begun."""
    deletion_time: str = ""
    """RFC 3339: when its grace period after a deletion ends; "" if it is not being deleted."""
    node: str = ""
    conditions: tuple[ConditionFacts, ...] = ()
    """DisruptionTarget where it is True; until it has ended, PodScheduled and Ready where they are not."""
    resource_version: str = field(default="", compare=False)

    @property
    def is_ended(self) -> bool:
        """Return whether all its containers have ended, as its Job counts it."""
        return self.phase in {"Succeeded", "Failed"}

    @property
    def is_alive(self) -> bool:
        """Return whether its worker may be at work, now or soon."""
        is_over = self.is_ended or self.exit_code is not None
        return not (is_over or self.is_gone or self.is_given_up)

    @property
    def has_succeeded(self) -> bool:
        """Return whether its worker ended with exit code 0 and a readable result.

        Other containers may run on, or end badly: they are not the department.
        """
        return self.result is not None and (self.phase == "Succeeded" or self.exit_code == 0)


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """A Kubernetes Event about a Job or pod of ours; its message is cut."""

    object_name: str
    reason: str
    message: str = ""
    at: str = ""
    """RFC 3339: when it happened last."""


@dataclass(frozen=True, slots=True)
class UsualStarts:
    """How long starts take at present, of all runs, in seconds; 0 where nothing is known of it."""

    job_s: float = 0
    """From a Job's creation to its pod's."""
    pod_s: float = 0
    """From a pod's creation to its worker's start."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How far a department has come, from whatever source."""

    iterations: int = 0
    items_created: int = 0
    quality_score: float = 0
    cost_usd: float = 0
    tokens: int = 0

    @classmethod
    def of_result(cls, result: DepartmentResult) -> "Numbers":
        """Return the numbers of a worker's result."""
        return cls(
            result.iterations, result.items_created, result.quality_score, result.cost_usd, result.tokens
        )


@dataclass(frozen=True, slots=True)
class CmsReading:
    """The departments that the CMS names, and the documents that could not be read."""

    departments: tuple[CmsDepartment, ...]
    malformed: tuple[str, ...] = ()
    is_cut: bool = False
    """The CMS may have more departments than were read."""
    defaulted: tuple[str, ...] = ()
    """Departments with fields that could not be read and were left at their defaults."""
    shortened: tuple[str, ...] = ()
    """Departments whose instructions are longer than is read."""
    drafts: tuple[str, ...] = ()
    """Departments that were never published."""
    is_last: bool = True
    """False: the CMS is asked again, so departments that it does not name yet may follow."""


@dataclass(frozen=True, slots=True)
class CmsFailure:
    """The CMS could not be read."""

    message: str


@dataclass(frozen=True, slots=True)
class CmsSilence:
    """The CMS has been asked and has not answered yet."""

    since_s: float
    """For how long the run has waited, in seconds."""


@dataclass(frozen=True, slots=True)
class BrainFacts:
    """Whether the brain answers."""

    is_available: bool
    why: str = ""
    """Why not, in a word."""


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """All facts about one run at one moment."""

    run: GatherRun
    now: datetime
    document: RunDocument | None = None
    jobs: Mapping[str, JobFacts] = field(default_factory=dict)
    """By name."""
    pods: tuple[PodFacts, ...] = ()
    """The oldest first."""
    events: tuple[ObjectEvent, ...] = ()
    """Of Jobs and pods that wait, as far as they are known; the newest last."""
    usual: UsualStarts = UsualStarts()
    overdue: frozenset[str] = frozenset()
    """Jobs that have waited for too long for what never comes right by itself."""
    live: Mapping[str, Numbers] = field(default_factory=dict)
    """By department slug, from the event log."""
    cms: CmsReading | CmsFailure | CmsSilence | None = None
    """None when the CMS was not asked."""
    brain: BrainFacts | None = None
    """None where nothing is known of it."""
    has_published_all: bool = True
    """All events that the written status calls for are published, or given up."""
    stopping_s: float = 0
    """For how long this operator has tried to stop the run; no clock on any wall counts."""
    stop_deadline_s: float = 300
    """After so long the run is closed although pods still hang."""
    default_model: str = ""
    has_outbox: bool = False
    """Whether events for webhooks go through the outbox."""
