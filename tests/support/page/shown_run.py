"""Runs for the page to show: what the operator, workers and people would have written, in the same stores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

from gather_clients.event_log import EventLog
from gather_clients.snapshots.redis_snapshots import RedisSnapshots
from gather_contracts import names
from gather_contracts.events import (
    AutomationCancelled,
    AutomationComplete,
    AutomationFailed,
    AutomationStarted,
    Deduplicating,
    DepartmentComplete,
    DepartmentFailed,
    DepartmentStarted,
    DepartmentSummary,
    Event,
    IterationComplete,
    timestamp,
)
from gather_contracts.snapshots.run_state import DepartmentState, RunState

FILM = (
    ("story", "Story"), ("character", "Characters"), ("visual", "Visual style"),
    ("production", "Production design"), ("sound", "Sound"), ("music", "Music"), ("editing", "Editing"),
)  # fmt: skip
MODEL = "openrouter/some-model"


@dataclass
class ShownRun:
    """One run in the stores."""

    project: str
    redis_url: str
    mongodb_uri: str = ""
    run: str = "the-lighthouse-1"
    uid: str = ""
    namespace: str = "films"
    departments: Sequence[tuple[str, str]] = FILM
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    max_iterations: int = 50
    max_cost_usd: float | None = 2.0
    _spent: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.uid = self.uid or f"uid-{self.project}-{self.run}"

    @property
    def about(self) -> dict[str, str]:
        """What each event names."""
        return {"project_id": self.project, "run": self.run, "run_uid": self.uid}

    async def write(self, phase: str = "Pending", **changed: Any) -> None:
        """Write what the operator knows; `departments` by slug are changes over Pending."""
        changes: dict[str, dict[str, Any]] = changed.pop("departments", {})
        known = changed.pop("is_resolved", phase != "Pending")
        state = RunState(
            project_id=self.project, run=self.run, run_uid=self.uid, namespace=self.namespace, phase=phase,
            phase_at=timestamp(datetime.now(UTC)), max_iterations=self.max_iterations,
            max_cost_usd=self.max_cost_usd, departments_count=len(self.departments) if known else 0,
            departments={
                slug: DepartmentState(
                    slug=slug, name=name, place=place, threshold=80, model=MODEL,
                    phase_at=timestamp(datetime.now(UTC)), **changes.get(slug, {}),
                )
                for place, (slug, name) in enumerate(self.departments)
            } if known else {},
            **changed,
        )  # fmt: skip
        store = RedisSnapshots(self.redis_url, 5)
        try:
            await store.put(state, self.began.timestamp())
        finally:
            await store.close()

    async def send(self, *events: Event) -> None:
        """Append events as they come from workers and operator."""
        log = EventLog(self.redis_url)
        try:
            for event in events:
                at = event.at or timestamp(datetime.now(UTC))
                await log.append(event.model_copy(update={"at": at}))
        finally:
            await log.close()

    def started(self) -> Event:
        """The run begins."""
        count = len(self.departments)
        return AutomationStarted(
            **self.about, at=timestamp(self.began), task_id=self.run, departments_count=count,
            max_iterations=self.max_iterations,
        )  # fmt: skip

    def department(self, slug: str, at_s: float = 0, attempt: int = 1) -> Event:
        """A worker takes a department up, so many seconds after the run's start."""
        at = timestamp(self.began + timedelta(seconds=at_s))
        return DepartmentStarted(
            **self.about, at=at, department=slug, department_name=self.name(slug), threshold=80, model=MODEL,
            attempt=attempt,
        )  # fmt: skip

    def iterations(self, slug: str, *scores: float, first: int = 1, usd: float = 0.02) -> list[Event]:
        """Iterations with these scores."""
        made: list[Event] = []
        for number, score in enumerate(scores, first):
            made.append(Deduplicating(**self.about, department=slug))
            made.append(
                IterationComplete(
                    **self.about, department=slug, department_name=self.name(slug), iteration=number,
                    total_iterations=8, quality_score=score, items_created=6 * number, threshold=80,
                    cost_usd=round(usd * number, 6), tokens=4_100 * number,
                )
            )  # fmt: skip
        return made

    def complete(self, slug: str, score: float, used: int, at_s: float = 0) -> Event:
        """A department ends by itself."""
        at = timestamp(self.began + timedelta(seconds=at_s)) if at_s else ""
        return DepartmentComplete(
            **self.about, at=at, department=slug, department_name=self.name(slug), quality_score=score,
            iterations_used=used,
        )  # fmt: skip

    def failed(self, slug: str, reason: str, at_s: float = 0) -> Event:
        """A department has used up its attempts."""
        at = timestamp(self.began + timedelta(seconds=at_s)) if at_s else ""
        return DepartmentFailed(**self.about, at=at, department=slug, reason=reason, attempt=4)

    def end(self, how: str, items: int = 30, iterations: int = 6, at_s: float = 0) -> Event:
        """The run's last event."""
        at = timestamp(self.began + timedelta(seconds=at_s)) if at_s else ""
        lines = [
            DepartmentSummary(department=slug, name=name, quality_score=0, iterations=0, items_created=0)
            for slug, name in self.departments
        ]
        if how == "complete":
            return AutomationComplete(
                **self.about, at=at, total_iterations=iterations, departments_processed=len(self.departments),
                items_created=items, summary=lines,
            )  # fmt: skip
        if how == "cancelled":
            return AutomationCancelled(**self.about, at=at, items_created_so_far=items)
        return AutomationFailed(
            **self.about, at=at, reason="DepartmentsFailed", message="Sound has used up its attempts.",
            items_created=items, summary=lines,
        )  # fmt: skip

    def name(self, slug: str) -> str:
        """Return a department's name."""
        return dict(self.departments)[slug]

    def note(self, slug: str, summary: str, iteration: int = 1, number: int = 0) -> None:
        """Put a note into the project's database."""
        self.notes([(slug, summary, iteration)], number)

    def notes(self, made: Sequence[tuple[str, str, int]], first: int = 0) -> None:
        """Put notes into the project's database, each a second after the one before."""
        documents = [
            {
                "_id": ObjectId(names.item_id(self.uid, slug, number, 0)), "summary": summary, "content": "…",
                "createdAt": self.began + timedelta(seconds=number), "projectId": self.project,
                "automationMetadata": {
                    "runUid": self.uid, "run": self.run, "department": slug, "iteration": iteration,
                    "departmentName": self.name(slug),
                },
            }
            for number, (slug, summary, iteration) in enumerate(made, first)
        ]  # fmt: skip
        with MongoClient[dict[str, Any]](self.mongodb_uri) as client:
            client[names.gather_database(self.project)][names.ITEMS_COLLECTION].insert_many(documents)

    def checkpoint(self, slug: str, dropped: int, gaps: Sequence[dict[str, Any]] = ()) -> None:
        """Keep what a worker measured."""
        document = {
            "department": slug, "scores": [], "meters": {"written": dropped, "items": []},
            "findings": {"iteration": 1, "gaps": list(gaps)},
        }  # fmt: skip
        with MongoClient[dict[str, Any]](self.mongodb_uri) as client:
            checkpoints = client[names.gather_database(self.project)][names.CHECKPOINTS_COLLECTION]
            checkpoints.replace_one({"_id": names.checkpoint_id(self.uid, slug)}, document, upsert=True)
