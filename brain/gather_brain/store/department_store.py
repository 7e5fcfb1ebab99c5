"""One project's departments: what they hold, what was made of it, and their nodes nearest to a target.

Made by the project's repository alone, whose scope goes into every query.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final, LiteralString

import numpy as np

from gather_brain.embeddings.slots import SlotName
from gather_brain.store.answer_bounds import LENGTH_MAX, require_sent
from gather_brain.store.cypher import department_queries as queries
from gather_brain.store.database import Database, Record, is_whole, vector_parameter
from gather_brain.store.overview_cache import Counted, KeptOverview
from gather_brain.themes.profiles import (
    SAMPLE_MAX,
    VERSION,
    Profile,
    Refined,
    Sample,
    StoredProfile,
    packed,
    unpacked,
)
from gather_brain.vectors import Matrix, raw_cosine

EXACT_MAX: Final = 500
"""Up to so many nodes the exact query is as fast as the index (15 ms) and misses nothing."""
TOP_OVERFETCH: Final = 2
"""How many times the wanted nodes the index returns for a large department.

Measured against exact ranking, five departments of 2,000 notes each by eleven targets: recall 1.000 with 20
returned as with 100. The rest is a margin for other notes; 5 took a third more of Neo4j's time than 2.
"""
TOP_QUERIES: Final = 2
"""Parallel queries for each kind of department: Neo4j uses one core a query."""
SAMPLED_AT_ONCE: Final = 4
"""Departments in one query: at most 800 vectors, about 10 MiB for a moment."""


@dataclass(frozen=True, slots=True)
class TopNode:
    """A node with its raw cosine to a target."""

    id: str
    content: str
    summary: str
    relevance: float


@dataclass(frozen=True, slots=True)
class Overview:
    """What a project holds of one department; `changed_at` is when one of its nodes last changed."""

    department: str
    node_count: int
    quality_score: float | None
    changed_at: str | None
    stored: StoredProfile | None


class Departments:
    """The departments of one project, by the vectors of one model."""

    def __init__(self, database: Database, scope: Mapping[str, Any], slot: SlotName) -> None:
        self._database = database
        self._scope = dict(scope)
        self._top_indexed = queries.TOP_INDEXED_IN[slot]

    @property
    def project_id(self) -> str:
        """The project; waiting work is grouped by it."""
        return str(self._scope["projectId"])

    async def overview(self, departments: Sequence[str]) -> dict[str, Overview]:
        """Return what the project holds of each department, with the profile stored for it."""
        keys = {name: (self.project_id, str(self._scope["model"]), name) for name in departments}
        kept = {name: self._database.overviews.get(key) for name, key in keys.items()}
        wanted = [
            {"name": name, "version": known.settled_version, "stamp": known.stamp}
            for name, known in kept.items()
        ]
        began_at_s = monotonic()
        rows = await self._read("departments", queries.OVERVIEW, departments=wanted, version=VERSION)
        found = {}
        for row in rows:
            name = row["department"]
            found[name], keeping = _overview(row, kept[name], began_at_s)
            self._database.overviews.keep(keys[name], keeping)
        return found

    async def samples(self, departments: Sequence[str]) -> dict[str, Sample]:
        """Return the nodes that stand for each department, at most 200 of each."""
        found: dict[str, Sample] = {}
        for start in range(0, len(departments), SAMPLED_AT_ONCE):
            some = list(departments[start : start + SAMPLED_AT_ONCE])
            rows = await self._read("department_sample", queries.SAMPLE, departments=some, limit=SAMPLE_MAX)
            # Off the loop: some milliseconds for each department.
            samples = await asyncio.to_thread(lambda rows: list(map(_sample, rows)), rows)
            found |= {row["department"]: sample for row, sample in zip(rows, samples, strict=True)}
        return found

    async def nearest(
        self, counts: Mapping[str, int], target: Matrix, limit: int
    ) -> dict[str, list[TopNode]]:
        """Return each department's `limit` nodes nearest to the target; `counts` has each one's nodes.

        Raises:
            AnswerTooLongError: they are too long for one answer.
        """
        top: dict[str, list[TopNode]] = {department: [] for department in counts}
        small = [name for name, count in counts.items() if 0 < count <= EXACT_MAX]
        large = [name for name, count in counts.items() if count > EXACT_MAX]
        parts = [
            (query, named[part::TOP_QUERIES])
            for query, named in ((queries.TOP_EXACT, small), (self._top_indexed, large))
            for part in range(min(TOP_QUERIES, len(named)))
        ]
        found = await asyncio.gather(
            *(
                self._read(
                    "department_top",
                    query,
                    departments=named,
                    target=vector_parameter(target),
                    limit=limit,
                    overfetch=limit * TOP_OVERFETCH,
                    lengthMax=LENGTH_MAX,
                )
                for query, named in parts
            )
        )
        for rows in found:
            require_sent(rows, "department")
            for row in rows:
                if is_whole(row, "id", "content", "properties"):
                    top[row["department"]].append(_top_node(row))
        return top

    async def store_profile(self, department: str, profile: Profile, fingerprint: str, now: datetime) -> None:
        """Keep a profile for all replicas; refined themes stay with it."""
        await self._write(
            "department_profile",
            queries.STORE_PROFILE,
            department=department,
            profile=packed(profile),
            fingerprint=fingerprint,
            version=VERSION,
            now=_stamp(now),
        )

    async def store_refined(self, department: str, refined: Refined, now: datetime) -> None:
        """Keep a model's themes for all replicas."""
        await self._write(
            "department_refined",
            queries.STORE_REFINED,
            department=department,
            themes=list(refined.themes),
            shortlist=list(refined.shortlist),
            now=_stamp(now),
        )

    async def claim_refinement(self, department: str, now: datetime, lease: timedelta) -> bool:
        """Return whether this replica may ask the model now; no other may until the lease has passed."""
        rows = await self._write(
            "department_claim",
            queries.CLAIM_REFINEMENT,
            department=department,
            now=_stamp(now),
            until=_stamp(now + lease),
        )
        return bool(rows)

    async def _read(self, kind: str, query: LiteralString, **parameters: Any) -> list[Record]:
        return await self._database.read(kind, query, **(parameters | self._scope))

    async def _write(self, kind: str, query: LiteralString, **parameters: Any) -> list[Record]:
        return await self._database.write(kind, query, **(parameters | self._scope))


def _sample(row: Record) -> Sample:
    return Sample([each or [] for each in row["terms"]], np.array(row["vectors"], np.float32))


def _overview(row: Record, kept: KeptOverview, began_at_s: float) -> tuple[Overview, KeptOverview]:
    """Return a department's overview from what was read and what was kept, and what to keep of it now."""
    counted = (
        kept.counted if row["isKept"] else Counted(row["nodeCount"], row["qualityScore"], row["changedAt"])
    )
    stored, profile = row["stored"], None
    if stored is not None:
        is_known = kept.profile is not None and row["stamp"] == kept.stamp
        profile = kept.profile if is_known else unpacked(stored)
    overview = Overview(
        department=row["department"],
        node_count=counted.node_count,
        quality_score=counted.quality_score,
        changed_at=counted.changed_at,
        stored=None if profile is None else _stored(stored, profile),
    )
    keeping = kept.next(row["version"], counted, began_at_s=began_at_s, now_s=monotonic())
    return overview, replace(keeping, stamp=row["stamp"] or "", profile=profile)


def _stored(properties: Mapping[str, Any], profile: Profile) -> StoredProfile:
    themes = properties.get("refinedThemes")
    return StoredProfile(
        profile=profile,
        fingerprint=properties["fingerprint"],
        made_at=properties["madeAt"],
        refined=None if themes is None else Refined(tuple(themes), tuple(properties["refinedFrom"])),
    )


def _top_node(row: Mapping[str, Any]) -> TopNode:
    summary = json.loads(row["properties"]).get("summary")
    return TopNode(
        id=row["id"],
        content=row["content"],
        summary=summary if isinstance(summary, str) else "",
        relevance=raw_cosine(row["score"]),
    )


def _stamp(moment: datetime) -> str:
    """Return a time as text whose order is the times' order."""
    return moment.isoformat(timespec="milliseconds")
