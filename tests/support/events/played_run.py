"""A run's events from its start to its end, with all that may happen to it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from gather_contracts.events import (
    AutomationComplete,
    AutomationError,
    AutomationFailed,
    AutomationStarted,
    Deduplicating,
    DepartmentComplete,
    DepartmentFailed,
    DepartmentStarted,
    DepartmentSummary,
    Event,
    IterationComplete,
    MaxIterationsReached,
    timestamp,
)

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)


def played_run(project: str, run: str = "film", uid: str = "u-1", *, fails: bool = False) -> list[Event]:
    """Return three departments' events: one tried twice, one that stays too low, one that may fail."""
    made = list(_events({"project_id": project, "run": run, "run_uid": uid}, fails=fails))
    return [
        event.model_copy(update={"at": timestamp(BEGAN + timedelta(seconds=number))})
        for number, event in enumerate(made)
    ]


def _events(about: dict[str, Any], *, fails: bool) -> Iterator[Event]:
    yield AutomationStarted(**about, task_id=about["run"], departments_count=3, max_iterations=12)
    yield _started(about, "story")
    yield from _iterations(about, "story", 1, 2)
    yield _started(about, "story", attempt=2)
    yield from _iterations(about, "story", 3, 3)
    yield DepartmentComplete(
        **about, department="story", department_name="Story", quality_score=73, iterations_used=3
    )
    yield _started(about, "visual")
    yield from _iterations(about, "visual", 1, 2)
    yield MaxIterationsReached(**about, department="visual", final_quality_score=72, threshold=80)
    yield DepartmentComplete(
        **about, department="visual", department_name="Visual", quality_score=72, iterations_used=2
    )
    yield _started(about, "sound")
    yield from _iterations(about, "sound", 1, 1)
    lines = [_line("story", 3), _line("visual", 2), _line("sound", 1)]
    if fails:
        yield DepartmentFailed(**about, department="sound", reason="DeadlineExceeded", attempt=4)
        yield AutomationError(
            **about, error="DeadlineExceeded", message="m", failed_at_department="sound",
            completed_departments=["story", "visual"], items_created_so_far=30,
        )  # fmt: skip
        yield AutomationFailed(
            **about, reason="DeadlineExceeded", message="m", items_created=30, summary=lines
        )
        return
    yield DepartmentComplete(
        **about, department="sound", department_name="Sound", quality_score=71, iterations_used=1
    )
    yield AutomationComplete(
        **about, total_iterations=6, departments_processed=3, items_created=30, summary=lines
    )


def _started(about: dict[str, Any], slug: str, attempt: int = 1) -> DepartmentStarted:
    return DepartmentStarted(
        **about, department=slug, department_name=slug.title(), threshold=80, model="m", attempt=attempt
    )


def _iterations(about: dict[str, Any], slug: str, first: int, last: int) -> Iterator[Event]:
    for number in range(first, last + 1):
        yield Deduplicating(**about, department=slug)
        yield IterationComplete(
            **about, department=slug, department_name=slug.title(), iteration=number, total_iterations=4,
            quality_score=70 + number, items_created=5 * number, threshold=80, cost_usd=0.01 * number,
            tokens=1000 * number,
        )  # fmt: skip


def _line(slug: str, iterations: int) -> DepartmentSummary:
    return DepartmentSummary(
        department=slug, name=slug.title(), quality_score=70 + iterations, iterations=iterations,
        items_created=5 * iterations,
    )  # fmt: skip
