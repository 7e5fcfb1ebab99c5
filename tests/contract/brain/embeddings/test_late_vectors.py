"""Vectors that come late, from a server or a command that has not noticed that the plan has changed."""

import secrets
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from dev.service_process import ServiceProcess
from gather_brain.auth.key_ring import Principal
from gather_brain.embeddings.embedder import Embedder, Keep, VectorCache, keep_nothing
from gather_brain.embeddings.readability import Unread
from gather_brain.embeddings.reembedding_plan import Phase, ReembeddingPlan, aborted
from gather_brain.embeddings.slots import Embedded, Model, Place
from gather_brain.reembed import ModelChange, abort
from gather_brain.store.database import Database
from gather_brain.store.reembedding import Reembedding, Unembedded
from gather_brain.store.reembedding_plans import PlanStore
from gather_brain.store.repository import NewNode, ProjectRepository
from gather_brain.vectors import Matrix

OLD, NEW = Model("old", 4), Model("new", 8)
PLACES = (Place("a", OLD), Place("b", NEW))


class Ones:
    """A provider whose model is the next one."""

    name, dimensions = NEW.name, NEW.dimensions

    async def prepare(self) -> None:
        """Be ready."""

    async def embed(self, texts: Sequence[str], keep: Keep = keep_nothing) -> Matrix:
        """Return as many rows."""
        rows = np.ones((len(texts), NEW.dimensions), np.float32)
        keep(texts, rows)
        return rows

    async def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Say that it can read all."""
        return [None] * len(texts)

    async def close(self) -> None:
        """Release nothing."""


@pytest.fixture
async def database(own_neo4j: ServiceProcess) -> AsyncIterator[Database]:
    """Its plan changes."""
    async with Database(own_neo4j.uri, None, database="neo4j", timeout_s=60, pool_size=2) as database:
        yield database


async def slots(database: Database, project: str) -> dict[str, list[str]]:
    """Return the models whose vectors each node has."""
    rows = await database.read(
        "test",
        """MATCH (n:Node {projectId: $project})
           RETURN n.id AS id, [size(n.embedding), n.embeddingModel, n.embeddingDimensions,
                               size(n.embeddingB), n.embeddingModelB, n.embeddingDimensionsB] AS found""",
        project=project,
    )
    return {row["id"]: row["found"] for row in rows}


def late(model: Model) -> Embedded:
    """Return one row of a model, at its place."""
    (place,) = (each for each in PLACES if each.model == model)
    return Embedded(place, np.ones((1, model.dimensions), np.float32))


async def write(own: ProjectRepository, name: str) -> None:
    """Write a node with the vectors of both models."""
    node = NewNode(id=name, type="GatherItem", content=name, properties={}, terms=[])
    assert (await own.write([node], [late(OLD), late(NEW)])).created == 1


async def test_no_vector_stays_in_a_slot_that_has_no_place_for_it(database: Database) -> None:
    """While the next model fills its slot both are kept; once a slot is given up, nothing comes into it."""
    plans, nodes, project = PlanStore(database), Reembedding(database), secrets.token_hex(12)
    own = Principal("late", frozenset([project])).open(database, project, PLACES[0])
    only_old, both = [4, "old", 4, None, None, None], [4, "old", 4, 8, "new", 8]
    only_new = [None, None, None, 8, "new", 8]

    steady = await plans.ensure(OLD)
    await write(own, "steady")
    assert await nodes.fill(project, [Unembedded("steady", "steady")], late(NEW)) == 0
    assert await slots(database, project) == {"steady": only_old}

    begun = ReembeddingPlan(steady.epoch + 1, Phase.FILLING, PLACES[0], other=NEW)
    assert await plans.change(steady, begun)
    await write(own, "filling")
    assert await nodes.fill(project, [Unembedded("steady", "steady")], late(NEW)) == 1
    assert await slots(database, project) == {"steady": both, "filling": both}

    assert await plans.change(begun, aborted(begun))
    await write(own, "aborted")
    assert (await slots(database, project))["aborted"] == only_old
    assert await nodes.fill(project, [Unembedded("aborted", "aborted")], late(NEW)) == 0
    assert (await abort(plans, nodes)).phase is Phase.STEADY
    assert set(map(tuple, (await slots(database, project)).values())) == {tuple(only_old)}

    embedder = Embedder(Ones(), VectorCache(0))
    change = ModelChange(plans, nodes, embedder, grace_s=0, patience_s=60, report=lambda *_: None)
    await change.run()
    await write(own, "late")
    assert await nodes.fill(project, [Unembedded("late", "late")], late(OLD)) == 0
    assert set(map(tuple, (await slots(database, project)).values())) == {tuple(only_new)}
