"""Projects full of nodes, in a minute or two instead of the quarter of an hour that the API would take.

One node is written through the API and is the pattern for all others, so that they are what the API writes.
Only halves of notes go through the model. A node's text is two of them, and its vector their sum, weighted by
length: `agreement` says how near that comes to what the model makes of the whole text.
"""

import json
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import httpx
import neo4j
import numpy as np

from dev.progress import Step
from dev.rooms import BRAIN_KEY
from gather_brain.themes.phrases import phrases
from gather_brain.vectors import Matrix, unit_rows
from gather_contracts.text import content_hash, text_hash
from tests.bench.brain.bare_model import BareModel
from tests.bench.texts import Film, NoteWriter

ROWS_PER_WRITE: Final = 1000
NODES_PER_HALF: Final = 4
"""A half stands in about eight nodes of the measured project: each has some neighbours with a cosine around
0.7 and none that is nearly the same, as on one film's real notes."""
HALVES_PER_DEPARTMENT_MAX: Final = 300
HALVES_PER_DEPARTMENT_MIN: Final = 12
AGREEMENT_TEXTS: Final = 40
API_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many nodes the measured project has, and how many stand in how many others."""

    nodes: int
    others: int
    other_projects: int


@dataclass(frozen=True, slots=True)
class Half:
    """Half a note with its vector, times its length, and its phrases."""

    text: str
    vector: Matrix
    terms: tuple[str, ...]


def project_ids(sizes: Sizes) -> list[str]:
    """Return the projects' ids, the measured one first; they are the same every time."""
    return [f"{0xBE7C << 80 | index:024x}" for index in range(1 + sizes.other_projects)]


def film_of(writer: NoteWriter) -> Film:
    """Return the one film that all seeded notes are about: a search meets likenesses in every project."""
    return writer.film()


class Seeder:
    """Makes nodes; the same sizes make the same ones."""

    def __init__(self, model: BareModel, sizes: Sizes) -> None:
        self._model = model
        self._sizes = sizes
        self._rng = random.Random(1)  # noqa: S311 - repeatable, not secret
        self._writer = NoteWriter(seed=1)
        self._film = film_of(self._writer)

    def write(self, brain_uri: str, driver: neo4j.Driver, step: Step) -> None:
        """Write all nodes."""
        halves = self._halves(step)
        pattern = _pattern(brain_uri, driver)
        rows = self._rows(pattern, halves)
        # As the first write of a project makes it.
        driver.execute_query(
            "UNWIND $projects AS project MERGE (p:Project {projectId: project}) SET p.writtenAt = $now",
            projects=project_ids(self._sizes),
            now=pattern["createdAt"],
        )
        written, total = 0, self._sizes.nodes + self._sizes.others
        while chunk := list(islice(rows, ROWS_PER_WRITE)):
            driver.execute_query("UNWIND $rows AS row CREATE (n:Node) SET n = row", rows=chunk)
            written += len(chunk)
            step.waits_for(f"{written:,} of {total:,} nodes written")

    def _halves(self, step: Step) -> dict[str, list[Half]]:
        departments = self._writer.departments
        wanted = self._sizes.nodes // len(departments) // NODES_PER_HALF
        count = min(max(wanted, HALVES_PER_DEPARTMENT_MIN), HALVES_PER_DEPARTMENT_MAX)
        found: dict[str, list[Half]] = {}
        for department in departments:
            step.waits_for(f"embedding {count} half notes of {department}")
            texts = [self._writer.half(department, self._film) for _ in range(count)]
            rows = zip(texts, self._model.embed(texts), strict=True)
            found[department] = [
                Half(text, vector * len(text), tuple(phrases(text))) for text, vector in rows
            ]
        return found

    def _rows(self, pattern: dict[str, Any], halves: dict[str, list[Half]]) -> Iterator[dict[str, Any]]:
        departments = self._writer.departments
        projects = project_ids(self._sizes)
        for index in range(self._sizes.nodes):
            department = departments[index % len(departments)]
            yield self._row(pattern, projects[0], department, halves[department])
        for index in range(self._sizes.others):
            department = departments[index // self._sizes.other_projects % len(departments)]
            project = projects[1 + index % self._sizes.other_projects]
            yield self._row(pattern, project, department, halves[department])

    def _row(
        self, pattern: dict[str, Any], project: str, department: str, halves: Sequence[Half]
    ) -> dict[str, Any]:
        one, other = self._rng.sample(halves, 2)
        content = f"{one.text} {other.text}"
        quality = float(self._rng.randint(55, 95))
        return pattern | {
            "projectId": project,
            "id": str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            "content": content,
            "contentHash": text_hash(content),
            "contentSha256": content_hash(content),
            "department": department,
            "qualityScore": quality,
            "properties": json.dumps(properties_of(department, content, quality)),
            "terms": list(dict.fromkeys((*one.terms, *other.terms))),
            "embedding": unit_rows((one.vector + other.vector)[np.newaxis])[0].tolist(),
        }


def properties_of(department: str, content: str, quality: float) -> dict[str, Any]:
    """Return a node's properties, as many and as long as a worker's."""
    return {
        "department": department,
        "departmentName": f"{department.capitalize()} Department",
        "isAutomated": True,
        "iteration": 5,
        "qualityScore": quality,
        "model": "anthropic/claude-sonnet-4.5",
        "taskId": "celery-task-123",
        "summary": content[:120],
        "context": "Why this matters to the film.",
    }


def agreement(driver: neo4j.Driver, model: BareModel) -> float:
    """Return the median cosine of seeded vectors with what the model makes of the same texts."""
    found = driver.execute_query(
        "MATCH (n:Node) RETURN n.content AS content, n.embedding AS vector ORDER BY n.id LIMIT $limit",
        limit=AGREEMENT_TEXTS,
    ).records
    made = model.embed([record["content"] for record in found])
    kept = np.array([record["vector"] for record in found], np.float32)
    return float(np.median(np.einsum("nd,nd->n", made, kept)))


def _pattern(brain_uri: str, driver: neo4j.Driver) -> dict[str, Any]:
    """Return the properties of a node that the API wrote, and delete that node."""
    project = uuid.uuid4().hex[:24]
    content = "A pattern for other nodes."
    node = {
        "type": "GatherItem",
        "content": content,
        "projectId": project,
        "properties": properties_of("story", content, 70),
    }
    httpx.post(
        f"{brain_uri}/api/v1/nodes/batch",
        json={"nodes": [node]},
        headers={"Authorization": f"Bearer {BRAIN_KEY}"},
        timeout=API_TIMEOUT_S,
    ).raise_for_status()
    (record,) = driver.execute_query(
        "MATCH (n:Node {projectId: $project}) WITH n, properties(n) AS pattern DELETE n RETURN pattern",
        project=project,
    ).records
    pattern: dict[str, Any] = record["pattern"]
    return pattern
