"""Builders of facts, and what unit tests of the operator share."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from gather_contracts import names
from gather_contracts.departments import CmsDepartment, ResolvedDepartment
from gather_contracts.resource import Condition, DepartmentStatus, GatherRun, GatherRunStatus, parse_run
from gather_contracts.result import DepartmentResult, StopReason
from gather_contracts.run_document import RunDocument, RunIdentity
from gather_operator.decisions.facts import CmsReading, JobFacts, PodFacts, RunSnapshot
from gather_operator.probe_server import serving
from tests.support.kubernetes.namespace_in_memory import World

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
PROJECT = "0123456789abcdef01234567"
UID = "11111111-2222-3333-4444-555555555555"


SUCCEEDED = {"phase": "Succeeded", "reason": "ThresholdReached", "iterations": 3, "itemsCreated": 18}
RUNNING = {"phase": "Running", "iterationLimit": 10, "startTime": "2026-05-01T11:00:00.000Z"}


class Build:
    """Makes the inputs of decisions; every argument has a default that means "nothing special"."""

    now = NOW
    uid = UID
    project = PROJECT
    succeeded = SUCCEEDED
    """A department that has reached its threshold."""
    at_work = RUNNING
    """A department at work, but for its Job."""

    @staticmethod
    def conditions(status: GatherRunStatus) -> dict[str, Condition]:
        """A status's conditions by type."""
        return {c.type: c for c in status.conditions}

    @staticmethod
    def phases(status: GatherRunStatus) -> list[str]:
        """The phases of a status's departments."""
        return [str(d.phase) for d in status.departments]

    def body(
        self,
        *,
        name: str = "film",
        uid: str = UID,
        spec: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
        finalizers: tuple[str, ...] = (names.FINALIZER,),
        deleted: str | None = None,
        generation: int = 1,
        version: str = "1",
    ) -> dict[str, Any]:
        """A GatherRun as the API server gives it."""
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": "films",
            "uid": uid,
            "generation": generation,
            "resourceVersion": version,
            "finalizers": list(finalizers),
        }
        if deleted:
            metadata["deletionTimestamp"] = deleted
        return {
            "metadata": metadata,
            "spec": {"projectId": PROJECT, "userId": "me", **(spec or {})},
            "status": status or {},
        }

    def run(self, **fields: Any) -> GatherRun:
        """A typed GatherRun."""
        return parse_run(self.body(**fields))

    def document(self, *slugs: str, left_out: list[str] | None = None) -> RunDocument:
        """A run document with the departments in that order."""
        run = self.run()
        return RunDocument(
            run=RunIdentity(name="film", namespace="films", uid=UID),
            spec=run.spec,
            departments=[
                ResolvedDepartment(slug=s, name=s.title(), code_dep_number=i, threshold=80, model="m")
                for i, s in enumerate(slugs, start=1)
            ],
            left_out=left_out or [],
        )

    def departments(self, *slugs: str, **first: Any) -> list[dict[str, Any]]:
        """Statuses of pending departments; the keywords (camelCase) go to the first."""
        statuses = [
            DepartmentStatus(slug=s, name=s.title(), code_dep_number=i, threshold=80, model="m")
            for i, s in enumerate(slugs, start=1)
        ]
        dumped = [s.model_dump(mode="json", by_alias=True, exclude_none=True) for s in statuses]
        dumped[0].update(first)
        return dumped

    def job_name(self, slug: str, generation: int = 1) -> str:
        """The name of a department's Job."""
        return names.job_name("film", UID, slug, generation)

    def job(self, slug: str, generation: int = 1, **fields: Any) -> JobFacts:
        """A Job's facts."""
        name = self.job_name(slug, generation)
        return JobFacts(name=name, run_uid=UID, department_index=0, iterations=10, **fields)

    def pod(self, slug: str, generation: int = 1, attempt: int = 1, **fields: Any) -> PodFacts:
        """A pod's facts."""
        job = self.job_name(slug, generation)
        facts = PodFacts(
            name=f"{job}-{attempt}",
            run_uid=UID,
            job_name=job,
            department_index=0,
            created=f"2026-05-01T11:00:{attempt:02d}+00:00",
        )
        return replace(facts, **fields)

    def result(self, iterations: int = 3, items: int = 18, **fields: Any) -> DepartmentResult:
        """What a worker says at its end."""
        values: dict[str, Any] = {"quality_score": 85, "reason": StopReason.THRESHOLD_REACHED, **fields}
        return DepartmentResult(iterations=iterations, items_created=items, **values)

    def done(self, slug: str, **fields: Any) -> PodFacts:
        """A pod that succeeded with a result."""
        return self.pod(slug, phase="Succeeded", result=self.result(), **fields)

    def cms(self, *slugs: str, malformed: tuple[str, ...] = ()) -> CmsReading:
        """An answer of the CMS, in that order."""
        return CmsReading(
            tuple(
                CmsDepartment(id=s, slug=s, name=s.title(), code_dep_number=i, description=f"About {s}")
                for i, s in enumerate(slugs, start=1)
            ),
            malformed,
        )

    def running(self, *slugs: str, spec: dict[str, Any] | None = None, **first: Any) -> GatherRun:
        """A run with its first department at work, or as `first` says."""
        has_job = "jobName" not in first and first.get("phase") != "Pending"
        job = {"jobName": self.job_name(slugs[0])} if has_job else {}
        departments = self.departments(*slugs, **{**RUNNING, **job, **first})
        return self.run(spec=spec, status={"phase": "Running", "departments": departments})

    def snapshot(self, run: GatherRun, **fields: Any) -> RunSnapshot:
        """All facts at one moment; jobs may be given as a list."""
        if isinstance(jobs := fields.get("jobs"), list):
            fields["jobs"] = {j.name: j for j in jobs}
        return RunSnapshot(run=run, now=NOW, **{"default_model": "default/model", **fields})


@pytest.fixture
def build() -> Build:
    """Makes the inputs of decisions."""
    return Build()


@pytest.fixture(scope="session")
def build_class() -> type[Build]:
    """The builder itself, for generated examples."""
    return Build


@pytest.fixture
def make_world() -> Callable[..., Any]:
    """Make an empty namespace in memory."""
    return World


@pytest.fixture
def spaces() -> type[SimpleNamespace]:
    """Make stand-ins with a few attributes."""
    return SimpleNamespace


@pytest.fixture
def aiohttp_get() -> Callable[..., Any]:
    """Serve an operator's health on a free port and get one path of it: (status, text)."""

    async def get(health: Any, path: str) -> tuple[int, str]:
        async with (
            serving(health, 0) as port,
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{path}") as response,
        ):
            return response.status, await response.text()

    return get
