"""One project's nodes as they are kept, in the order of their ids.

Made by the project's repository alone, whose scope goes into every query.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gather_brain.errors import UnavailableError
from gather_brain.store.cypher import listing_queries as queries
from gather_brain.store.database import Database, Record, is_whole
from gather_contracts.text import content_hash

LENGTH_MAX: Final = 2_000_000
"""Characters of properties and contents in a page. 500 nodes as workers write them have a sixth of it, with
their contents a half; an answer of as many characters is below what `BrainClient` reads, in every script."""
NEVER_NULL: Final = ("id", "type", "properties", "createdAt", "updatedAt")
FEW: Final = 4
"""Nodes of a page that would be longer: one alone can have 2 MiB of properties."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which nodes a page has; None is all."""

    type: str | None
    department: str | None


@dataclass(frozen=True, slots=True)
class KeptNode:
    """A node as it is kept; `content` is None where it was not asked for."""

    id: str
    type: str
    content_hash: str
    content: str | None
    properties: dict[str, Any]
    revision: int
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class KeptNodes:
    """Some nodes; `has_more` says whether others follow the last of them."""

    nodes: Sequence[KeptNode]
    has_more: bool


class NodePages:
    """Reads the nodes of one project."""

    def __init__(self, database: Database, scope: Mapping[str, Any]) -> None:
        self._database = database
        self._scope = dict(scope)

    async def page(self, where: Filter, after: str, limit: int, *, with_content: bool) -> KeptNodes:
        """Return the nodes that follow the id `after` ("": the first), at most `limit` of them.

        Raises:
            UnavailableError: all of them were deleted while they were read.
        """
        rows = await self._database.read(
            "page",
            queries.PAGE,
            **self._scope,
            type=where.type,
            department=where.department,
            after=after,
            limit=limit + 1,
            withContent=with_content,
            lengthMax=LENGTH_MAX,
            few=FEW,
        )
        rows, found = rows[:limit], rows[0]["found"] if rows else 0
        nodes = [_kept(row, with_content=with_content) for row in rows if is_whole(row, *NEVER_NULL)]
        if rows and not nodes:
            raise UnavailableError
        return KeptNodes(nodes, has_more=found > len(rows))

    async def node(self, node_id: str) -> KeptNode | None:
        """Return one node, or None if the project has none of that id."""
        rows = await self._database.read("node", queries.NODE, **self._scope, id=node_id)
        is_there = rows and is_whole(rows[0], "content", *NEVER_NULL)
        return _kept(rows[0], with_content=True) if is_there else None


def _kept(row: Record, *, with_content: bool) -> KeptNode:
    return KeptNode(
        id=row["id"],
        type=row["type"],
        content_hash=row["sha256"] or content_hash(row["content"]),
        content=row["content"] if with_content else None,
        properties=json.loads(row["properties"]),
        revision=row["revision"],
        created_at=row["createdAt"],
        updated_at=row["updatedAt"],
    )
