"""Which events a run's written status calls for, each with the key that lets it be sent once. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gather_contracts import names
from gather_contracts.events import (
    AutomationCancelled,
    AutomationComplete,
    AutomationError,
    AutomationFailed,
    AutomationStarted,
    AutomationTimeout,
    DepartmentFailed,
    Event,
    timestamp,
)
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import GatherRun
from gather_contracts.run_document import RunDocument
from gather_contracts.snapshots.run_outcome import end_of, fault, succeeded, summary

PUBLISH_WINDOW: Final = timedelta(hours=24)
"""After this an ended run publishes nothing any more; the event log forgets its keys after 7 days."""
DELETION_PATIENCE: Final = timedelta(seconds=15)
"""How long an unreachable event log may hold up a deleted run, from its end or its deletion."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """An event and its idempotency key."""

    key: str
    event: Event


def due(run: GatherRun, now: datetime, document: RunDocument | None = None) -> list[RunEvent]:
    """Return the events that must have been sent, given what stands in the status, oldest first.

    The run's document is there before the status names the departments.
    """
    ended = _ended(run)
    if ended is not None and now - ended > PUBLISH_WINDOW:
        return []
    return [*_start(run, now, document), *_failures(run, now), *_end(run, now)]


def may_give_up(run: GatherRun, now: datetime) -> bool:
    """Return whether a deleted run has waited long enough for the event log."""
    since = run.metadata.deletion_timestamp
    if since is None:
        return False
    deleted = datetime.fromisoformat(since)
    return now - max(deleted, _ended(run) or deleted) > DELETION_PATIENCE


def _ended(run: GatherRun) -> datetime | None:
    moment = run.status.completion_time
    return datetime.fromisoformat(moment).astimezone(UTC) if moment else None


def _start(run: GatherRun, now: datetime, document: RunDocument | None) -> Iterator[RunEvent]:
    """Not due any more once the run has ended: nobody would take a start after an end for an old one."""
    count = len(run.status.departments) or (len(document.departments) if document is not None else 0)
    if count and not run.status.phase.is_final:
        started = AutomationStarted(
            **_identity(run, now),
            task_id=run.metadata.name,
            departments_count=count,
            max_iterations=run.spec.max_iterations,
        )
        yield RunEvent(f"{run.metadata.uid}:started", started)


def _failures(run: GatherRun, now: datetime) -> Iterator[RunEvent]:
    for department in run.status.departments:
        if department.phase is DepartmentPhase.FAILED:
            yield RunEvent(
                f"{run.metadata.uid}:failed:{department.slug}",
                DepartmentFailed(
                    **_identity(run, now),
                    department=department.slug,
                    reason=department.reason,
                    attempt=department.attempt,
                ),
            )


def _end(run: GatherRun, now: datetime) -> Iterator[RunEvent]:
    key, status, identity = names.run_end(run.metadata.uid), run.status, _identity(run, now)
    match status.phase:
        case RunPhase.SUCCEEDED:
            complete = AutomationComplete(
                **identity,
                total_iterations=status.iterations,
                departments_processed=len(succeeded(run)),
                items_created=status.items_created,
                summary=summary(run),
            )
            yield RunEvent(key, complete)
        case RunPhase.FAILED:
            yield RunEvent(f"{run.metadata.uid}:fault", _fault(run, now))
            reason, message = end_of(run)
            failed = AutomationFailed(
                **identity,
                reason=reason,
                message=message,
                items_created=status.items_created,
                summary=summary(run),
            )
            yield RunEvent(key, failed)
        case RunPhase.CANCELLED:
            yield RunEvent(key, AutomationCancelled(**identity, items_created_so_far=status.items_created))
        case _:
            pass


def _fault(run: GatherRun, now: datetime) -> AutomationTimeout | AutomationError:
    """Return why the run has failed: by time alone, or by anything else."""
    found = fault(run)
    fields = {name: value for name, value in asdict(found).items() if name != "is_out_of_time"}
    return (AutomationTimeout if found.is_out_of_time else AutomationError)(**_identity(run, now), **fields)


def _identity(run: GatherRun, now: datetime) -> dict[str, Any]:
    """Return the fields that every event carries."""
    return {
        "project_id": run.spec.project_id,
        "run": run.metadata.name,
        "run_uid": run.metadata.uid,
        "at": timestamp(now),
    }
