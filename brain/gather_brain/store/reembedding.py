"""What a change of model needs of nodes of all projects; no request reaches this module.

Content goes from here to the embedding model and nowhere else. Every query that reads or writes content is
bound to one project all the same; those that cross projects return counts and the projects' ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from gather_brain.embeddings.slots import SLOTS, Embedded, Place, SlotName
from gather_brain.store.cypher import reembedding_queries as queries
from gather_brain.store.database import Database, time_text, vector_parameter
from gather_brain.store.write_locks import any_lock

PAGE_NODES: Final = 256
"""At most 2 MiB of content at once."""


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A node without the vector that it should have, and the content to make it from."""

    id: str
    content: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last node that was looked at, in the order of projects and ids; as it is made, before the first."""

    project_id: str = ""
    node_id: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some nodes of one project, of which `missing` lack the vector; the next page comes after `cursor`."""

    cursor: Cursor
    missing: tuple[Unembedded, ...] = ()


class Reembedding:
    """Fills and empties slots, page by page; every method raises UnavailableError if Neo4j is unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, place: Place, cursor: Cursor) -> Page | None:
        """Return the nodes after the cursor as they are now, or None after the last."""
        rows = await self._read(
            queries.PAGE,
            projectId=cursor.project_id,
            after=cursor.node_id,
            limit=PAGE_NODES,
            **_properties(place),
        )
        if not rows:
            return await self._next_project(cursor)
        lacking = (row for row in rows if row["content"] is not None)
        missing = tuple(Unembedded(row["id"], row["content"]) for row in lacking)
        return Page(Cursor(cursor.project_id, rows[-1]["id"]), missing)

    async def _next_project(self, cursor: Cursor) -> Page | None:
        found = await self._read(queries.NEXT_PROJECT, after=cursor.project_id)
        return Page(Cursor(found[0]["project"])) if found else None

    async def fill(self, project_id: str, nodes: Sequence[Unembedded], embedded: Embedded) -> int:
        """Write vectors and return how many; a node whose content has changed meanwhile is skipped.

        None is written once the place is no longer that of the next model.
        """
        rows = [
            {"id": node.id, "content": node.content, "vector": vector_parameter(vector)}
            for node, vector in zip(nodes, embedded.rows, strict=True)
        ]
        written = await self._database.write(
            "reembed",
            queries.FILL,
            lock=any_lock(),
            slot=embedded.place.slot,
            projectId=project_id,
            rows=rows,
            dimensions=embedded.place.model.dimensions,
            now=time_text(datetime.now(UTC), "milliseconds"),
            **_properties(embedded.place),
        )
        filled: int = written[0]["filled"]
        return filled

    async def counts(self, place: Place) -> tuple[int, int]:
        """Return how many nodes have the vectors of the place, and how many nodes there are."""
        filled = await self._read(queries.COUNT_FILLED, **_properties(place))
        nodes = await self._read(queries.COUNT_NODES)
        return filled[0]["nodes"], nodes[0]["nodes"]

    async def prepare_index(self, place: Place) -> None:
        """Create the place's vector index if it is missing or has other dimensions."""
        await self._database.prepare_vectors(place.slot, place.model.dimensions)

    async def is_index_online(self, place: Place) -> bool:
        """Return whether the place's vector index is complete."""
        return await self._database.is_index_online(place.slot)

    async def has_index(self, slot: SlotName) -> bool:
        """Return whether the slot has a vector index."""
        return await self._database.has_vectors(slot)

    async def drop_index(self, slot: SlotName) -> None:
        """Drop the slot's vector index, if it is there."""
        await self._database.drop_vectors(slot)

    async def clear_page(self, slot: SlotName, cursor: Cursor) -> Cursor | None:
        """Empty the slot on some nodes after the cursor; return the next cursor, None after the last."""
        rows = await self._database.write(
            "reembed",
            queries.CLEAR,
            projectId=cursor.project_id,
            after=cursor.node_id,
            limit=PAGE_NODES,
            **_slot_properties(slot),
        )
        if rows:
            return Cursor(cursor.project_id, rows[-1]["id"])
        following = await self._next_project(cursor)
        return following.cursor if following else None

    async def _read(self, query: LiteralString, **parameters: Any) -> list[Any]:
        return list(await self._database.read("reembed", query, **parameters))


def _properties(place: Place) -> dict[str, Any]:
    return _slot_properties(place.slot) | {"model": place.model.name}


def _slot_properties(slot: SlotName) -> dict[str, str]:
    names = SLOTS[slot]
    return {
        "vectorProperty": names.vector,
        "modelProperty": names.model,
        "dimensionsProperty": names.dimensions,
    }
