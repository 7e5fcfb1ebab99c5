"""Deleting one project's nodes, and all that is kept of the project.

Made by the project's repository alone, whose scope goes into every query.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from gather_brain.store.cypher import deletion_queries as queries
from gather_brain.store.database import Database, Record, time_text

NODES_AT_ONCE: Final = 1000
"""In one transaction, which holds the project's lock."""
PROFILES_AT_ONCE: Final = 100
"""About 60 KiB each."""
ERASING_S: Final = 8.0
"""After so long no further transaction begins: a caller waits some 15 s for an answer."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many nodes were deleted, and of which departments."""

    nodes: int
    departments: Sequence[str]


@dataclass(frozen=True, slots=True)
class Erased:
    """What one call has erased; `remaining`: it has to be called again."""

    nodes: int
    profiles: int
    remaining: bool


class Deletion:
    """Deletes what is kept of one project."""

    def __init__(
        self, database: Database, scope: Mapping[str, Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._scope = dict(scope)
        self._clock = clock

    async def delete(self, ids: Sequence[str]) -> Deleted:
        """Delete the nodes of these ids, those that there are, in one transaction."""
        known = await self._database.read("anything_left", queries.ANYTHING_LEFT, **self._scope)
        if not known[0]["known"]:
            return Deleted(0, ())
        # In one order, as they are written, so that two requests never wait for each other in a circle.
        (row,) = await self._write("delete_nodes", queries.DELETE_NODES, ids=sorted(set(ids)))
        return Deleted(row["deleted"], [name for name in row["departments"] if name is not None])

    async def erase(self) -> Erased | None:
        """Erase all of the project, in bounded transactions for a bounded time; None: there is nothing.

        Raises:
            UnavailableError: Neo4j is unavailable; what was erased is erased.
        """
        known = await self._database.read("anything_left", queries.ANYTHING_LEFT, **self._scope)
        if not known[0]["known"]:
            return None
        ends_at = self._clock() + ERASING_S
        nodes = profiles = 0
        while self._clock() < ends_at:
            some_nodes = await self._erased("erase_nodes", queries.ERASE_NODES, NODES_AT_ONCE)
            nodes += some_nodes
            if some_nodes:
                continue
            some_profiles = await self._erased("erase_profiles", queries.ERASE_PROFILES, PROFILES_AT_ONCE)
            profiles += some_profiles
            if not some_profiles and await self._erased("erase_project", queries.ERASE_PROJECT, 1):
                return Erased(nodes, profiles, remaining=False)
        return Erased(nodes, profiles, remaining=True)

    async def _erased(self, kind: str, query: LiteralString, limit: int) -> int:
        (row,) = await self._write(kind, query, limit=limit)
        erased: int = row["erased"]
        return erased

    async def _write(self, kind: str, query: LiteralString, **parameters: Any) -> list[Record]:
        now = time_text(datetime.now(UTC), "milliseconds")
        return await self._database.write(kind, query, **(parameters | {"now": now} | self._scope))
