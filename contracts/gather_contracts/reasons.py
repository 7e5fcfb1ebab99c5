"""Every machine-readable type and reason that a GatherRun's conditions can show."""

from enum import StrEnum


class ConditionType(StrEnum):
    """The conditions of a GatherRun."""

    ACCEPTED = "Accepted"
    """The CMS was read and the departments are fixed."""
    PROGRESSING = "Progressing"
    """A department is at work or about to be."""
    SUCCEEDED = "Succeeded"
    """The run has ended, well (True) or not (False)."""
    BRAIN_AVAILABLE = "BrainAvailable"
    """The brain answers, so that notes are indexed at once; only where the operator knows its address."""
    WEBHOOK_DELIVERED = "WebhookDelivered"
    """False once events for the webhook were given up; missing before that."""


class Reason(StrEnum):
    """Why a condition has its status."""

    DEPARTMENTS_RESOLVED = "DepartmentsResolved"
    """Accepted: the CMS named the departments and the run document was written."""
    DEPARTMENTS_LEFT_OUT = "DepartmentsLeftOut"
    """Accepted: the departments are fixed, but some that were selected or named could not take part."""
    CMS_UNAVAILABLE = "CMSUnavailable"
    """Accepted=False: the CMS did not answer or answered wrongly; it is asked again."""
    NO_DEPARTMENTS = "NoDepartments"
    """Accepted=False: the CMS names no department that takes part, or none of the selected ones.

    While the run is Pending the CMS is asked again.
    """
    SELECTION_INCOMPLETE = "SelectionIncomplete"
    """Accepted=False: the CMS does not name all selected departments yet; it is asked again."""
    WAITING = "Waiting"
    """Progressing: the CMS is waited for (False), or the first Job is about to be made (True)."""
    DEPARTMENT_RUNNING = "DepartmentRunning"
    """Progressing: a department is at work; the message says how its last attempt ended, if one did."""
    JOB_REFUSED = "JobRefused"
    """Progressing=False: Kubernetes refused what the run needs (quota, admission, rights); tried again."""
    STATUS_REFUSED = "StatusRefused"
    """Progressing=False: the API server does not take the run's status; its Jobs are stopped."""
    SUSPENDED = "Suspended"
    """Progressing=False: `spec.suspend` is true; nothing is started, and what was at work saves and ends."""
    BRAIN_READY = "BrainReady"
    """BrainAvailable: the brain says that it can serve."""
    BRAIN_UNAVAILABLE = "BrainUnavailable"
    """BrainAvailable=False: the brain does not answer; notes are saved, and indexed when it is back."""
    WEBHOOK_GIVEN_UP = "WebhookGivenUp"
    """WebhookDelivered=False: events were given up; the message says how many, and what the last one met."""
    FINISHED = "Finished"
    """Progressing=False: the run has ended."""
    CANCELLING = "Cancelling"
    """Progressing: pods are being stopped; what they made is kept."""
    ALL_DEPARTMENTS_DONE = "AllDepartmentsDone"
    """Succeeded: each department ended by itself."""
    DEPARTMENTS_FAILED = "DepartmentsFailed"
    """Succeeded=False: at least one department used up its attempts; the others' items are kept."""
    CANCELLED = "Cancelled"
    """Succeeded=False: the user cancelled; items made so far are kept."""


class DepartmentReason(StrEnum):
    """Why the operator ended a department; a worker's own reasons are `result.StopReason`."""

    ITERATIONS_EXHAUSTED = "IterationsExhausted"
    """Skipped: the departments before it used up `maxIterations`."""
    BUDGET_USED = "BudgetUsed"
    """Skipped: a department before it ended because the run's budget is used."""
    EARLIER_DEPARTMENT_FAILED = "EarlierDepartmentFailed"
    """Skipped: a department failed and `onDepartmentFailure` is Stop."""
    ATTEMPTS_USED_UP = "AttemptsUsedUp"
    """Failed: no attempt is left, and neither the pod nor the Job said why."""
    RESULT_UNREADABLE = "ResultUnreadable"
    """Failed: its pods ended well, but their results were lost again and again."""
    SUSPENDED = "Suspended"
    """Running: its Job is held back by `spec.suspend`; it goes on from its checkpoint."""
    CANCELLED = "Cancelled"
    """Cancelled: the run was cancelled or deleted before the department ended."""


class WaitReason(StrEnum):
    """What a department at work waits for; the message has Kubernetes' own words.

    Where Kubernetes has a word for it, it is that one. Other words than these are Kubernetes' own too.
    """

    SUSPENDED = "Suspended"
    """Its Job is suspended, by a queue such as Kueue or by hand, and has no pods."""
    FAILED_CREATE = "FailedCreate"
    """The Job's pod is refused: a quota, an admission webhook, Pod Security, a missing ServiceAccount."""
    NO_POD = "NoPod"
    """The Job has no pod yet, and no Event says why."""
    BACKING_OFF = "BackingOff"
    """An attempt failed; the Job waits before the next one: 10 s, twice as long each time, up to 10 min."""
    UNSCHEDULABLE = "Unschedulable"
    """No node takes the pod, for the reasons that the scheduler gives."""
    SCHEDULING_GATED = "SchedulingGated"
    """Somebody else, such as a queue, holds the pod back from the scheduler."""
    FAILED_MOUNT = "FailedMount"
    """A volume cannot be mounted: its Secret or ConfigMap is missing, or its storage fails."""
    FAILED_ATTACH_VOLUME = "FailedAttachVolume"
    """A volume cannot be attached to the node, for instance because another node holds it."""
    FAILED_CREATE_POD_SANDBOX = "FailedCreatePodSandBox"
    """The node cannot make the pod's network or its first container."""
    CONTAINER_CREATING = "ContainerCreating"
    """The node has been preparing the pod for more than half a minute; the message has its last Event."""
    IMAGE_PULL_BACK_OFF = "ImagePullBackOff"
    """The image cannot be pulled; ErrImagePull, which alternates with it, is shown as this."""
    INVALID_IMAGE_NAME = "InvalidImageName"
    """The image's name is malformed."""
    ERR_IMAGE_NEVER_PULL = "ErrImageNeverPull"
    """The image is not on the node, and its pull policy is Never."""
    IMAGE_INSPECT_ERROR = "ImageInspectError"
    """The image on the node is broken."""
    CREATE_CONTAINER_CONFIG_ERROR = "CreateContainerConfigError"
    """The container's environment or user cannot be made up: a missing ConfigMap, Secret or key."""
    CREATE_CONTAINER_ERROR = "CreateContainerError"
    """The node cannot make the container."""
    RUN_CONTAINER_ERROR = "RunContainerError"
    """The node cannot start the container."""
    NODE_LOST = "NodeLost"
    """The pod's node does not answer; the pod is given up after a while, and another Job goes on."""
    TERMINATING = "Terminating"
    """A pod was to end and still stands; no other is started beside it until it is given up."""
    SIDECAR_RUNNING = "SidecarRunning"
    """The worker has ended, and another container keeps its pod running; the operator ends it."""


class EndReason(StrEnum):
    """Kubernetes' words for the end of an attempt or a Job, where the worker left none of its own."""

    OOM_KILLED = "OOMKilled"
    """The worker used more memory than its limit, which the message names."""
    EVICTED = "Evicted"
    """The node was low on something, as the message says, and ended the pod; this costs no attempt."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """The attempt took longer than `departmentTimeoutSeconds`."""
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
    """All attempts of the Job have failed."""
    POD_FAILURE_POLICY = "PodFailurePolicy"
    """The worker ended with exit code 64: trying again would not help."""
    ERROR = "Error"
    """The worker's process ended with an error and left no result; its log has the details."""
    START_ERROR = "StartError"
    """The container runtime could not start the worker's process."""
    CONTAINER_STATUS_UNKNOWN = "ContainerStatusUnknown"
    """The node lost sight of the container, as after a restart."""
    UNEXPECTED_ADMISSION_ERROR = "UnexpectedAdmissionError"
    """The node refused the pod that the scheduler had given it."""


class DepartmentPhase(StrEnum):
    """Where one department of a run stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"


class RunPhase(StrEnum):
    """Where a run stands; Succeeded, Failed and Cancelled are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def is_final(self) -> bool:
        """Return whether the run can change no more."""
        return self in {RunPhase.CANCELLED, RunPhase.SUCCEEDED, RunPhase.FAILED}
