"""A project's runs as the page lists them; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gather_bridge.page.figures import UNKNOWN, duration, moment, money, score


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run."""

    run: str
    address: str
    namespace: str
    phase: str
    reason: str
    departments: str
    notes: str
    quality: str
    cost: str
    took: str
    since: str
    started_at: str


@dataclass(frozen=True, slots=True)
class ProjectView:
    """One project."""

    runs: Sequence[RunLine]
    is_complete: bool
    at: datetime


def project_view(document: Mapping[str, Any], now: datetime) -> ProjectView:
    """Return what the page says of a project's newest runs, now."""
    project_id = next((run["project_id"] for run in document["runs"]), "")
    lines = [_line(run, project_id, now) for run in document["runs"]]
    return ProjectView(lines, document["complete"], now)


def _line(run: Mapping[str, Any], project_id: str, now: datetime) -> RunLine:
    began, ended = moment(run["started_at"]), moment(run["ended_at"])
    name, namespace = run["run"], run["namespace"]
    count = run["departments_count"]
    return RunLine(
        run=name,
        address=f"/runs/{namespace}/{name}" if namespace else f"/projects/{project_id}/runs/{name}",
        namespace=namespace,
        phase=run["phase"],
        reason="" if run["phase"] == "Succeeded" else run["reason"],
        departments=f"{run['departments_ended']} of {count}" if count else UNKNOWN,
        notes=f"{run['items_created']:,}" if count else UNKNOWN,
        quality=score(run["quality_score"]) if run["quality_score"] else UNKNOWN,
        cost=money(run["cost_usd"]) if count else UNKNOWN,
        took=duration((ended or now) - began) if began else UNKNOWN,
        since=run["started_at"] if began and not ended else "",
        started_at=run["started_at"],
    )
