"""Which changes of Jobs and pods a run may go on by; all others can wait for the next pass. Pure.

A step of a run makes about ten changes of its Job and pod, of which one, the pod's end, lets the next begin.
"""

from gather_operator.decisions.facts import JobFacts, PodFacts


def is_job_news(before: JobFacts | None, after: JobFacts) -> bool:
    """Return whether the run may have something to do by it; a Job that completes has shown its pod's end."""
    return _job(after) != (_job(before) if before is not None else (False,) * 5)


def is_pod_news(before: PodFacts | None, after: PodFacts) -> bool:
    """Return whether the run may have something to do by it, or somebody looks for its reason."""
    return _pod(after) != (_pod(before) if before is not None else (False, False, False, ""))


def _job(job: JobFacts) -> tuple[bool, ...]:
    has_failed = job.is_failed or any(c.type == "FailureTarget" for c in job.conditions)
    return job.is_failed, has_failed, job.is_terminating, job.is_suspended, job.is_suspended_by_us


def _pod(pod: PodFacts) -> tuple[bool, bool, bool, str]:
    return pod.is_ended or pod.exit_code is not None, pod.is_terminating, pod.is_lingering, pod.reason
