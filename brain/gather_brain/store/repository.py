"""One project's nodes; every method works on that project and there is no way to name another.

A repository is made by `Principal.open` for a key that may use the project, and nowhere else. Neo4j's cosine
score, (1 + cosine) / 2, is turned into raw cosine here and never leaves this module.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gather_brain.errors import NotFoundError, UnavailableError
from gather_brain.store.cypher import departments as department_queries
from gather_brain.store.cypher import nodes as node_queries
from gather_brain.store.cypher import search as search_queries
from gather_brain.store.database import Database, Record
from gather_brain.store.gates import gate_parameters, vectors_of
from gather_brain.store.slots import SLOTS, Embedded, Place
from gather_brain.vectors import Matrix

EXACT_MAX: Final = 500
"""Up to so many candidates the exact query is as fast as the index (15 ms) and misses nothing."""
CENTROID_NODES_MAX: Final = 200
TERM_NODES_MAX: Final = 300
"""The newest nodes stand for a department that has more; bounds what a context request reads."""
TOP_OVERFETCH: Final = 5
"""How many more are asked of the index where only the best of a large department are wanted."""
QUALITY_MAX: Final = 100
ROUNDING: Final = 1e-6
"""Float32 vectors: a text compared with itself comes out a little below 1."""


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node to write, with all that is known of it before Neo4j sees it."""

    id: str
    type: str
    content: str
    content_hash: str
    properties: Mapping[str, Any]
    terms: Sequence[str]
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """A node near to a vector; `similarity` is raw cosine in [0, 1]."""

    id: str
    similarity: float
    content: str
    content_hash: str
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Where:
    """Which nodes a search may find."""

    type: str
    department: str | None
    excluded_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class TopNode:
    """A node with its raw cosine to a target."""

    id: str
    content: str
    summary: str
    relevance: float


@dataclass(frozen=True, slots=True)
class DepartmentNodes:
    """What a project holds of one department; `terms` are the phrases of each of its newest nodes."""

    department: str
    node_count: int
    quality_score: float | None
    terms: Sequence[Sequence[str]]
    top: Sequence[TopNode]


class ProjectRepository:
    """The nodes of one project, found by the vectors of one model."""

    def __init__(self, database: Database, project_id: str, place: Place) -> None:
        self._database = database
        self._slot = SLOTS[place.slot]
        self._scope: dict[str, Any] = {
            "projectId": project_id,
            "model": place.model.name,
            "modelProperty": self._slot.model,
            "vectorProperty": self._slot.vector,
        }

    async def require_known(self) -> None:
        """Raise NotFoundError where the project has no nodes yet."""
        rows = await self._read("project_known", node_queries.PROJECT_IS_KNOWN)
        if not rows[0]["known"]:
            raise NotFoundError

    async def write(self, nodes: Sequence[NewNode], embedded: Sequence[Embedded]) -> int:
        """Write the nodes in one transaction and return how many of them were not there before.

        A node whose id is there is replaced; its creation time stays.

        Raises:
            UnavailableError: vectors of a model that every node must have now are not among `embedded`.
        """
        rows = [_row(node) | vectors_of(embedded, index) for index, node in enumerate(nodes)]
        # In one order, so that two batches with the same ids never wait for each other in a circle.
        rows.sort(key=lambda row: str(row["id"]))
        written = await self._database.write(
            "batch_insert",
            node_queries.WRITE_NODES,
            **self._scope,
            **gate_parameters(embedded),
            rows=rows,
            now=_now(),
            writeId=str(uuid.uuid4()),
        )
        if len(written) < len(nodes):
            raise UnavailableError
        return sum(1 for row in written if row["created"])

    async def nearest(self, vectors: Matrix, where: Where, threshold: float, limit: int) -> list[list[Match]]:
        """Return, for each vector, up to `limit` nodes of raw cosine `threshold` or more, nearest first."""
        scope = {"type": where.type}
        if where.department is not None:
            scope["department"] = where.department
        found: list[list[Match]] = [[] for _ in vectors]
        for row in await self._read(
            "nearest",
            await self._nearest_query(scope),
            **scope,
            vectors=vectors.tolist(),
            excluded=list(where.excluded_ids),
            minScore=(1 + threshold) / 2 - ROUNDING,
            limit=limit,
            overfetch=limit + len(where.excluded_ids),
        ):
            found[row["q"]].append(_match(row))
        return found

    async def department_vectors(self, department: str) -> Matrix:
        """Return the vectors of the department's newest nodes, shape (n, d), n at most 200."""
        rows = await self._read(
            "department_vectors",
            department_queries.DEPARTMENT_VECTORS,
            department=department,
            limit=CENTROID_NODES_MAX,
        )
        return np.array([row["embedding"] for row in rows], np.float32)

    async def departments(
        self, departments: Sequence[str], target: NDArray[np.float32], limit: int
    ) -> list[DepartmentNodes]:
        """Return what the project holds of each department, with its `limit` nodes nearest to the target."""
        rows = await self._read(
            "departments",
            department_queries.DEPARTMENTS,
            departments=list(departments),
            termNodes=TERM_NODES_MAX,
        )
        top: dict[str, list[TopNode]] = {department: [] for department in departments}
        indexed = department_queries.TOP_INDEXED_IN[self._slot.name]
        for query, large in ((department_queries.TOP_EXACT, False), (indexed, True)):
            named = [row["department"] for row in rows if (row["nodeCount"] > EXACT_MAX) is large]
            for found in await self._top(query, named, target, limit) if named else []:
                top[found["department"]].append(_top_node(found))
        return [_department(row, top[row["department"]]) for row in rows]

    async def _top(
        self, query: Any, departments: Sequence[str], target: NDArray[np.float32], limit: int
    ) -> list[Record]:
        return await self._read(
            "department_top",
            query,
            departments=departments,
            target=target.tolist(),
            limit=limit,
            overfetch=limit * TOP_OVERFETCH,
        )

    async def _nearest_query(self, scope: Mapping[str, str]) -> Any:
        """Choose between the index and the exact query by how many nodes the filter leaves."""
        inside = "department" in scope
        rows = await self._read(
            "count_candidates",
            search_queries.COUNT_CANDIDATES_IN_DEPARTMENT if inside else search_queries.COUNT_CANDIDATES,
            **scope,
            enough=EXACT_MAX + 1,
        )
        if rows[0]["candidates"] <= EXACT_MAX:
            return search_queries.NEAREST_EXACT_IN_DEPARTMENT if inside else search_queries.NEAREST_EXACT
        return search_queries.NEAREST_INDEXED_IN[self._slot.name, inside]

    async def _read(self, kind: str, query: Any, **parameters: Any) -> list[Record]:
        return await self._database.read(kind, query, **(parameters | self._scope))


def raw_cosine(score: float) -> float:
    """Turn Neo4j's score, (1 + cosine) / 2, into raw cosine in [0, 1]; a negative cosine is 0.

    Source: Neo4j Cypher manual, vector indexes, "cosine similarity".
    """
    return min(max(2 * score - 1, 0.0), 1.0)


def _row(node: NewNode) -> dict[str, Any]:
    return {
        "id": node.id,
        "type": node.type,
        "content": node.content,
        "contentHash": node.content_hash,
        "revision": node.revision,
        "department": node.properties.get("department"),
        "qualityScore": _quality(node.properties.get("qualityScore")),
        # One text: Neo4j's own property types would not give back what came (null, an integer's size).
        "properties": json.dumps(dict(node.properties), ensure_ascii=False),
        "terms": list(node.terms),
    }


def _quality(value: Any) -> float | None:
    """Return a score that counts in the department's mean; anything else is a property like others."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= QUALITY_MAX else None


def _match(row: Record) -> Match:
    return Match(
        id=row["id"],
        similarity=raw_cosine(row["score"]),
        content=row["content"],
        content_hash=row["contentHash"],
        properties={"createdAt": row["createdAt"]} | json.loads(row["properties"]),
    )


def _department(row: Record, top: Sequence[TopNode]) -> DepartmentNodes:
    return DepartmentNodes(
        department=row["department"],
        node_count=row["nodeCount"],
        quality_score=row["qualityScore"],
        terms=[terms for terms in row["terms"] if terms],
        top=top,
    )


def _top_node(found: Mapping[str, Any]) -> TopNode:
    summary = json.loads(found["properties"]).get("summary")
    return TopNode(
        id=found["id"],
        content=found["content"],
        summary=summary if isinstance(summary, str) else "",
        relevance=raw_cosine(found["score"]),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
