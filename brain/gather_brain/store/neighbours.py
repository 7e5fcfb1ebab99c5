"""One project's nodes that say nearly the same as a text or as another node.

Made by the project's repository alone, whose scope goes into every query. The vector index is approximate, so
more neighbours are requested than wanted; if few nodes qualify, all of them are compared; and the same text
is found by its hash, whatever the vectors say.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from gather_brain.embeddings.slots import SlotName
from gather_brain.errors import AnswerTooLongError, NotFoundError
from gather_brain.store.answer_bounds import LENGTH_MAX, length_of, require_sent, require_short
from gather_brain.store.cypher import search_queries as queries
from gather_brain.store.database import Database, Record, is_whole, vector_parameter
from gather_brain.vectors import Matrix, raw_cosine, shown
from gather_contracts.brain import DUPLICATE_THRESHOLD

EXACT_MAX: Final = 500
"""Up to so many candidates the exact query is as fast as the index (15 ms) and misses nothing."""
OVERFETCH: Final = 200
"""The least number of neighbours requested from the index.

Measured among 10,000 to 17,000 nodes with crowds of 300 to 5,000 near duplicates: with as many as were wanted
(50), the index missed up to 67 % of them; with 100, up to 32 %; with 200, none.
"""
EARLIER_OVERFETCH: Final = 16
"""Only the nearest earlier node is wanted, but limited to 1 the index would stop at the first good one."""
EARLIER_QUERIES: Final = 2
"""Parallel queries for a batch: Neo4j uses one core a query, some 4 ms a node."""
MERGED_ON_THE_LOOP: Final = 200
"""Found nodes, 10 us each; more are merged in a thread."""
ROUNDING: Final = 1e-6
"""Float32 vectors: a text compared with itself comes out a little below 1."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which nodes a search may find."""

    type: str
    department: str | None
    excluded_ids: Sequence[str]

    @property
    def filter(self) -> dict[str, Any]:
        """The query's parameters."""
        inside = {} if self.department is None else {"department": self.department}
        return {"type": self.type} | inside


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What is known without vectors: how many nodes may be found, at most 501, and the same texts' nodes."""

    candidates: int
    same: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Match:
    """A node near to a text; `similarity` is raw cosine in [0, 1], and 1 for the same text alone."""

    id: str
    similarity: float
    content: str
    properties: dict[str, Any]
    length: int
    """Of content and properties in an answer, in characters."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier node that says nearly the same as a later one."""

    id: str
    similarity: float


class Neighbours:
    """Finds the nearest nodes in one project."""

    def __init__(
        self, database: Database, scope: Mapping[str, Any], slot: SlotName, *, is_named: bool
    ) -> None:
        """`is_named`: the project exists, even without nodes."""
        self._database = database
        self._scope = dict(scope)
        self._slot = slot
        self._is_named = is_named

    async def look_up(self, hashes: Sequence[str], where: Where, limit: int) -> LookedUp:
        """Return how many nodes may be found, and up to `limit` of the same text for each text's hash.

        Raises:
            NotFoundError: the project has no nodes at all, and the key does not name it.
            AnswerTooLongError: those of the same texts are too long for one answer.
        """
        (row,) = await self._read(
            "look_up",
            queries.LOOK_UP_IN[where.department is not None],
            **where.filter,
            hashes=list(hashes),
            excluded=list(where.excluded_ids),
            limit=limit,
            enough=EXACT_MAX + 1,
            lengthMax=LENGTH_MAX,
        )
        if not (row["known"] or self._is_named):
            raise NotFoundError
        if row["isTooLong"]:
            raise AnswerTooLongError
        return LookedUp(row["candidates"], row["same"])

    async def nearest(
        self, vectors: Matrix, where: Where, found: LookedUp, threshold: float, limit: int
    ) -> list[list[Match]]:
        """Return, for each row, up to `limit` nodes of similarity `threshold` or more, nearest first.

        `found` is what `look_up` says of the same texts and filter.

        Raises:
            AnswerTooLongError: they are too long for one answer.
        """
        inside = where.department is not None
        near = await self._read(
            "nearest",
            queries.NEAREST_EXACT_IN[inside]
            if found.candidates <= EXACT_MAX
            else queries.NEAREST_INDEXED_IN[self._slot, inside],
            **where.filter,
            excluded=list(where.excluded_ids),
            limit=limit,
            vectors=list(map(vector_parameter, vectors)),
            minScore=_score(threshold),
            overfetch=max(limit, OVERFETCH) + len(where.excluded_ids),
            lengthMax=LENGTH_MAX,
        )
        require_sent(near, "q")
        if len(near) + len(found.same) <= MERGED_ON_THE_LOOP:
            merged = _merged(len(vectors), near, found.same, threshold, limit)
        else:
            merged = await asyncio.to_thread(_merged, len(vectors), near, found.same, threshold, limit)
        require_short(match.length for matches in merged for match in matches)
        return merged

    async def earlier(self, ids: Sequence[str]) -> dict[str, Earlier]:
        """Return, by its id, each node that says nearly the same as an earlier one, with the nearest such.

        Of the same type; asked after the commit. Batches of one project are written one after the other and
        number their nodes, so of two that do not know each other yet the second finds the first.
        """
        parts = await asyncio.gather(
            *(
                self._read(
                    "earlier",
                    queries.EARLIER_IN[self._slot],
                    ids=ids[part::EARLIER_QUERIES],
                    minScore=_score(DUPLICATE_THRESHOLD),
                    overfetch=EARLIER_OVERFETCH,
                )
                for part in range(min(EARLIER_QUERIES, len(ids)))
            )
        )
        found = (
            (row["id"], Earlier(row["earlier"], shown(raw_cosine(row["score"]), is_same_text=row["isSame"])))
            for rows in parts
            for row in rows
        )
        return {node_id: each for node_id, each in found if each.similarity >= DUPLICATE_THRESHOLD}

    async def _read(self, kind: str, query: LiteralString, **parameters: Any) -> list[Record]:
        return await self._database.read(kind, query, **(parameters | self._scope))


def _score(similarity: float) -> float:
    """Turn raw cosine into Neo4j's score, a little lower against rounding; at 0 nothing is too far."""
    return (1 + similarity) / 2 - ROUNDING if similarity > 0 else 0.0


def _merged(
    texts: int, near: Sequence[Record], same: Sequence[Record], threshold: float, limit: int
) -> list[list[Match]]:
    """Merge the nodes found by vector and by hash; a node found by both counts by its hash.

    Neo4j is asked for a little less than the threshold, so that rounding loses nothing: what is below it, as
    it is shown, goes here.
    """
    found: list[dict[str, Match]] = [{} for _ in range(texts)]
    for row, is_same in (*((row, False) for row in near), *((row, True) for row in same)):
        if not is_whole(row, "id", "content", "properties"):
            continue
        found[row["q"]][row["id"]] = Match(
            id=row["id"],
            similarity=shown(raw_cosine(row["score"]), is_same_text=is_same),
            content=row["content"],
            properties={"createdAt": row["createdAt"]} | json.loads(row["properties"]),
            length=length_of(row["content"]) + len(row["properties"]),
        )
    return [
        sorted(
            (match for match in matches.values() if match.similarity >= threshold),
            key=lambda match: (-match.similarity, match.id),
        )[:limit]
        for matches in found
    ]
