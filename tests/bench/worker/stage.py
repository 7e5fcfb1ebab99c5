"""What the worker's benchmark runs on: stores, brain and demo model as processes, and projects with notes."""

import asyncio
import contextlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from bson import ObjectId
from pymongo import MongoClient

from dev.artefacts.store_binaries import StoreArtefacts
from dev.progress import Reporter
from dev.rooms import BRAIN_KEY, brain_service
from dev.stores import running
from dev.waiting import wait_for
from gather_clients.brain_client import BrainClient
from gather_clients.notes.note import note_of_item
from gather_contracts import names
from gather_contracts.brain import COVERAGE_ITEMS_MAX, CoverageItem, CoverageRequest
from gather_contracts.departments import CmsDepartment, ResolvedDepartment, resolve_department
from gather_contracts.items import AutomationMetadata, GatherItem
from gather_contracts.resource import GatherRunSpec
from gather_contracts.run_document import RunDocument, RunIdentity
from gather_demo.cms.cms_api import DEPARTMENTS_FILE, read_departments
from gather_worker.documents.note_node import node_of
from gather_worker.services.brain import INDEX_BATCH
from gather_worker.services.store import document_of
from tests.bench.measure import cpu_s
from tests.bench.texts import NoteWriter
from tests.support.worker_harness import Services, WorkerHarness, demo_model_service

NEVER_REACHED: Final = 100.0
"""A threshold that keeps a department at work until its iterations are used up or its quality is flat."""
SEED_DEADLINE_S: Final = 120
HTTP_TIMEOUT_S: Final = 10
QUIET_S: Final = 3.0
"""Longer than the brain lets a department rest after a write before it makes its profile."""
QUIET_SHARE: Final = 0.05


@dataclass
class Stage:
    """The services, and a folder for the workers' files."""

    services: Services
    folder: Path
    brain_pid: int | None = None
    """Of the brain, None where it is another machine's."""
    harnesses: int = 0

    def new_harness(self, project_id: str) -> WorkerHarness:
        """Return a new run of a project, of all the demo CMS's departments."""
        folder = self.folder / f"harness-{self.harnesses}"
        folder.mkdir()
        self.harnesses += 1
        return WorkerHarness(self.services, folder, run_document(project_id))

    def behave(self, delay_s: float) -> None:
        """Let the demo model take so long for an answer."""
        order = {"delay_s": delay_s}
        url = f"{self.services.model_uri}/demo/behaviour"
        httpx.post(url, json=order, timeout=HTTP_TIMEOUT_S).raise_for_status()

    def seeded_project(self, items: int, seed: int) -> str:
        """Return a new project with so many notes in MongoDB and in the brain."""
        project_id = uuid.uuid4().hex[:24]
        if items:
            notes = _notes(project_id, items, seed)
            self._write(project_id, notes)
            asyncio.run(self._index(notes))
            if pid := self.brain_pid:
                wait_for("the brain to have made the profiles", lambda: _is_quiet(pid), SEED_DEADLINE_S)
        return project_id

    def _write(self, project_id: str, notes: Sequence[GatherItem]) -> None:
        documents = [document_of(note) for note in notes]
        with MongoClient[dict[str, Any]](self.services.mongodb_uri) as client:
            client[names.gather_database(project_id)][names.ITEMS_COLLECTION].insert_many(documents)

    async def _index(self, notes: Sequence[GatherItem]) -> None:
        async with BrainClient(self.services.brain_uri, BRAIN_KEY, timeout_s=SEED_DEADLINE_S) as brain:
            for start in range(0, len(notes), INDEX_BATCH):
                nodes = [node_of(note_of_item(note)) for note in notes[start : start + INDEX_BATCH]]
                await brain.create_nodes(nodes, deadline_s=SEED_DEADLINE_S)
            for department in departments():
                await _analyze(brain, department, [n for n in notes if n.department == department.slug])


@contextmanager
def stage(reporter: Reporter, services: Services | None = None) -> Iterator[Stage]:
    """Start everything that a worker needs, unless it is there; what was started is ended and removed."""
    folder = Path(tempfile.mkdtemp(prefix="gather-bench-worker-"))
    try:
        with contextlib.ExitStack() as stack:
            yield Stage(services, folder) if services else _started(folder, stack, reporter)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, stack: contextlib.ExitStack, reporter: Reporter) -> Stage:
    programs = StoreArtefacts.from_environment()
    stores = {}
    for kind in ("mongodb", "redis", "neo4j"):
        with reporter.step(f"Starting {kind}"):
            stores[kind] = stack.enter_context(running(kind, programs)).uri
    places = [folder / "brain", folder / "model"]
    for place in places:
        place.mkdir()
    brain = brain_service(places[0], stores["neo4j"], programs.embedding_model())
    model = demo_model_service(places[1])
    for service in (brain, model):
        with reporter.step(f"Starting {service.name}"):
            service.start()
        stack.callback(service.kill)
    services = Services(stores["mongodb"], stores["redis"], stores["neo4j"], brain.uri, model.uri)
    return Stage(services, folder, brain.pid)


def _is_quiet(pid: int) -> bool:
    """Return whether a process has nothing to do; takes `QUIET_S`."""
    before_s = cpu_s(pid)
    time.sleep(QUIET_S)
    return cpu_s(pid) - before_s < QUIET_SHARE * QUIET_S


async def _analyze(brain: BrainClient, department: ResolvedDepartment, notes: Sequence[GatherItem]) -> None:
    """Let the brain see the notes as the workers that wrote them would have: it remembers their sentences."""
    newest = notes[-COVERAGE_ITEMS_MAX:]
    if newest:
        request = CoverageRequest(
            project_id=newest[0].project_id,
            department=department.slug,
            gather_items=[CoverageItem(id=n.id, content=n.content, summary=n.summary) for n in newest],
            department_description=department.description,
        )
        await brain.analyze_coverage(request, deadline_s=SEED_DEADLINE_S)


def departments() -> list[ResolvedDepartment]:
    """Return the demo CMS's departments that take part, in their order, none of which is ever good enough."""
    documents = read_departments(DEPARTMENTS_FILE)
    known = [CmsDepartment.model_validate(d) for d in documents if d.get("gatherCheck") and d.get("isActive")]
    resolved = [resolve_department(d, NEVER_REACHED, "demo/model") for d in known]
    ordered = sorted(resolved, key=lambda department: department.code_dep_number)
    return [department.model_copy(update={"threshold": NEVER_REACHED}) for department in ordered]


def run_document(project_id: str) -> RunDocument:
    """Return a run of them."""
    return RunDocument(
        run=RunIdentity(name="bench", namespace="default", uid=str(uuid.uuid4())),
        spec=GatherRunSpec(project_id=project_id, user_id="bench", department_timeout_seconds=3600),
        departments=departments(),
    )


def _notes(project_id: str, count: int, seed: int) -> list[GatherItem]:
    """Return notes of one film, spread evenly over the departments."""
    writer = NoteWriter(seed)
    film = writer.film()
    known = departments()
    return [_note(project_id, known[place % len(known)], writer, film) for place in range(count)]


def _note(project_id: str, department: ResolvedDepartment, writer: NoteWriter, film: Any) -> GatherItem:
    content = writer.note(department.slug, film)
    now = datetime.now(UTC)
    return GatherItem(
        id=str(ObjectId()),
        content=content,
        summary=content[:120].strip(),  # as it is read: else a worker would index it again
        context="Why this matters to the film.",
        project_id=project_id,
        created_at=now,
        last_updated=now,
        created_by="bench",
        automation_metadata=AutomationMetadata(
            task_id="bench", department=department.slug, department_name=department.name, iteration=1,
            model="demo/model", run="earlier", run_uid="earlier",
        ),
    )  # fmt: skip
