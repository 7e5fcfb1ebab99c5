"""Stopping a run, because it was cancelled or deleted: Jobs first, then pods, then the final status; and
stopping pods whose work is done.
"""

from collections.abc import Sequence

from gather_contracts.reasons import DepartmentPhase, DepartmentReason
from gather_operator.decisions.actions import Action, Decision, DeleteJob, DeletePod
from gather_operator.decisions.assessment import FINAL, Department, assess, close, gather_departments
from gather_operator.decisions.facts import RunSnapshot
from gather_operator.decisions.status.run_status import cancelled, finished, stopping


def decide_stop(snapshot: RunSnapshot) -> Decision:
    """Delete what still works; once nothing does, close the run and keep what was made.

    A department that has ended meanwhile counts as ended. The facts have to be fresh: a Job that a cache has
    not shown yet would live on.
    """
    run, now = snapshot.run, snapshot.now
    departments = [assess(d, now) for d in gather_departments(snapshot, run.status.departments)]
    standing = [j for j in snapshot.jobs.values() if not j.is_terminating]
    # Deleting the run takes all its Jobs; cancelling leaves those that ended, for their logs.
    going = [j for j in standing if run.is_being_deleted or not j.is_finished]
    kept = {j.name for j in standing} - {j.name for j in going}
    standing_pods = [p for p in snapshot.pods if not p.is_gone and p.job_name not in kept]
    remaining = [p for p in standing_pods if not p.is_given_up]
    # Pods are deleted after their Job has begun to go: before that it would replace them.
    jobs: tuple[Action, ...] = tuple(DeleteJob(j.name) for j in going)
    actions = jobs or tuple(DeletePod(p.name) for p in remaining if not p.is_terminating)
    if departments and all(d.phase in FINAL for d in departments) and not run.is_being_deleted:
        return Decision(finished(snapshot, departments), actions)
    is_overdue = snapshot.stopping_s > snapshot.stop_deadline_s
    if is_overdue or not (actions or remaining):
        phase, reason = DepartmentPhase.CANCELLED, DepartmentReason.CANCELLED
        closed = [d if d.phase in FINAL else close(d, phase, reason, now) for d in departments]
        return Decision(cancelled(snapshot, closed, standing_pods), actions)
    return Decision(stopping(snapshot, departments, remaining), actions)


def end_lingering(snapshot: RunSnapshot) -> tuple[Action, ...]:
    """Return what ends pods that only a sidecar keeps running: their worker has ended, and nobody ends them.

    Of a department that is done the Job goes, since it would replace the pod, which to Kubernetes has not
    succeeded. Of another one the pod goes: its Job then sees how the worker ended, and decides on the next
    attempt as always.
    """
    actions: list[Action] = []
    for pod in snapshot.pods:
        job = snapshot.jobs.get(pod.job_name)
        if job is not None and pod.has_succeeded:
            will_fail = pod.is_lingering or pod.phase == "Failed"
            if will_fail and not (job.is_finished or job.is_terminating):
                actions.append(DeleteJob(job.name))
        elif pod.is_lingering and not (pod.is_gone or pod.is_terminating):
            actions.append(DeletePod(pod.name))
    return tuple(dict.fromkeys(actions))


def end_given_up(departments: Sequence[Department]) -> tuple[Action, ...]:
    """Return what ends the Jobs of departments whose written status says that they have failed."""
    failed = (d.job for d in departments if d.status.phase is DepartmentPhase.FAILED and d.job is not None)
    return tuple(DeleteJob(j.name) for j in failed if not (j.is_finished or j.is_terminating))
