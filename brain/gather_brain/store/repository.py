"""One project's nodes; every method works on that project and there is no way to name another.

Only `Principal.open` makes a repository, for a key that may use the project. Neo4j's cosine score,
(1 + cosine) / 2, is turned into raw cosine here and never leaves this folder.
"""

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gather_brain.embeddings.slots import SLOTS, Embedded, Place
from gather_brain.errors import AnswerTooLongError, NotFoundError, UnavailableError
from gather_brain.store.cypher import node_queries
from gather_brain.store.database import Database, Record, time_text
from gather_brain.store.deletion import Deletion
from gather_brain.store.department_store import Departments
from gather_brain.store.neighbours import Neighbours
from gather_brain.store.node_pages import NodePages
from gather_brain.store.write_locks import lock_parameters, vectors_of
from gather_contracts.text import content_hash, text_hash

QUALITY_MAX: Final = 100
KEPT_MAX: Final = 1_500_000
"""Characters of what superseded nodes keep, in the answer to a write: 6 MB in the widest, beside the
properties that were sent, of which a body holds 10 MiB; clients take both together."""


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node to write."""

    id: str
    type: str
    content: str
    properties: Mapping[str, Any]
    terms: Sequence[str]
    revision: int = 0

    @property
    def department(self) -> str | None:
        """The department that the node is filed under, if any."""
        department: str | None = self.properties.get("department")
        return department


@dataclass(frozen=True, slots=True)
class Kept:
    """A node that a write left as it was, since its revision is higher."""

    type: str
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch did: how many nodes are new, each one's revision now, and whose profile is outdated."""

    created: int
    revisions: Mapping[str, int]
    kept: Mapping[str, Kept]
    """Those that were not replaced, by their ids."""
    departments: Sequence[str]


class ProjectRepository:
    """The nodes of one project, found by the vectors of one model."""

    def __init__(self, database: Database, project_id: str, place: Place, *, is_named: bool) -> None:
        """`is_named`: the key names the project, which therefore exists, if empty."""
        self._database = database
        self._is_named = is_named
        self._slot = SLOTS[place.slot]
        self._scope: dict[str, Any] = {
            "projectId": project_id,
            "model": place.model.name,
            "modelProperty": self._slot.model,
            "vectorProperty": self._slot.vector,
        }
        self.departments = Departments(database, self._scope, place.slot)
        self.neighbours = Neighbours(database, self._scope, place.slot, is_named=is_named)
        self.pages = NodePages(database, self._scope)
        self.deletion = Deletion(database, self._scope)

    async def require_known(self) -> None:
        """Raise NotFoundError where the project has no nodes yet, and the key does not name it."""
        if self._is_named:
            return
        rows = await self._database.read("project_known", node_queries.PROJECT_IS_KNOWN, **self._scope)
        if not rows[0]["known"]:
            raise NotFoundError

    async def write(self, nodes: Sequence[NewNode], embedded: Sequence[Embedded]) -> Written:
        """Write the nodes in one transaction.

        A node with an id that exists is replaced, unless its revision is higher; its creation time stays.

        Raises:
            AnswerTooLongError: nodes that would stay as they are, are too long for one answer.
            UnavailableError: `embedded` lacks the vectors of a model that every node must have now.
        """
        columns = await asyncio.to_thread(lambda: list(map(_row, nodes)))
        rows = [row | {"position": index} | vectors_of(embedded, index) for index, row in enumerate(columns)]
        # In one order, so that two batches with the same ids never wait for each other in a circle.
        rows.sort(key=lambda row: str(row["id"]))
        written = await self._database.write_checked(
            "batch_insert",
            node_queries.WRITE_NODES,
            _require_short,
            **self._scope,
            **lock_parameters(embedded),
            rows=rows,
            now=time_text(datetime.now(UTC), "milliseconds"),
            writeId=str(uuid.uuid4()),
            keptMax=KEPT_MAX,
        )
        if len(written) < len(nodes):
            raise UnavailableError
        named = [node.department for node in nodes] + [row["departmentBefore"] for row in written]
        return Written(
            created=sum(1 for row in written if row["created"]),
            revisions={row["id"]: row["revision"] for row in written},
            kept={
                row["id"]: Kept(row["keptType"], json.loads(row["keptProperties"]))
                for row in written
                if not row["applied"]
            },
            departments=list(dict.fromkeys(name for name in named if name is not None)),
        )


def _require_short(written: Sequence[Record]) -> None:
    if any(row["keptProperties"] is None for row in written if not row["applied"]):
        raise AnswerTooLongError("nodes")


def _row(node: NewNode) -> dict[str, Any]:
    return {
        "id": node.id,
        "type": node.type,
        "content": node.content,
        "contentHash": text_hash(node.content),
        "contentSha256": content_hash(node.content),
        "revision": node.revision,
        "department": node.department,
        "qualityScore": _quality(node.properties.get("qualityScore")),
        # JSON: Neo4j's own property types would lose something (null, an integer's size).
        "properties": json.dumps(dict(node.properties), ensure_ascii=False),
        "terms": list(node.terms),
    }


def _quality(value: Any) -> float | None:
    """Return a score that counts in the department's mean; any other value is a plain property."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= QUALITY_MAX else None
