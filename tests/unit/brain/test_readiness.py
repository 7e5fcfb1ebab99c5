"""Ready means that the next request is served."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from gather_brain import readiness
from gather_brain.embeddings.active_models import ActiveModels
from gather_brain.embeddings.embedder import Embedder, Keep, VectorCache, keep_nothing
from gather_brain.embeddings.readability import Unread
from gather_brain.embeddings.reembedding_plan import LEASE_S, Phase, ReembeddingPlan
from gather_brain.embeddings.slots import Model, Place
from gather_brain.errors import UnavailableError
from gather_brain.readiness import Readiness
from gather_brain.store.database import Database
from gather_brain.vectors import Matrix
from gather_clients.backoff import Backoff
from tests.support.fake_clock import FakeClock

MODEL = Model("one", 2)


class Provider:
    """A model that is there."""

    name, dimensions = MODEL.name, MODEL.dimensions

    async def prepare(self) -> None:
        pass

    async def embed(self, texts: Sequence[str], keep: Keep = keep_nothing) -> Matrix:
        rows = np.ones((len(texts), self.dimensions), np.float32)
        keep(texts, rows)
        return rows

    async def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        return [None] * len(texts)

    async def close(self) -> None:
        pass


class Plans:
    """A plan that never changes."""

    async def read(self) -> ReembeddingPlan:
        return ReembeddingPlan(epoch=0, phase=Phase.STEADY, active=Place("a", MODEL))

    async def ensure(self, model: Model) -> ReembeddingPlan:
        raise AssertionError(model)


class Neo4j:
    """A Neo4j that is there."""

    refusal = ""

    async def prepare(self) -> None:
        pass

    async def prepare_vectors(self, *_: Any) -> None:
        pass

    async def is_index_online(self, _: str) -> bool:
        return True

    async def is_serving(self, _: str) -> bool:
        return True


async def test_what_says_that_it_is_ready_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long warming up took, and not while the plan is too old to act upon."""
    clock = FakeClock()

    async def slow(*_: Any) -> None:
        assert models.for_request() is not None
        clock.now_s += 10 * LEASE_S

    monkeypatch.setattr(readiness, "warm_up", slow)
    models = ActiveModels([Embedder(Provider(), VectorCache(10))], Plans(), clock=clock)
    made = Readiness(cast(Database, Neo4j()), models, lambda _: None, clock)
    await made.prepare()
    assert (await made.state()).status == "ready"
    assert models.for_request() is not None
    clock.now_s += LEASE_S + 1
    assert models.for_request() is None
    assert (await made.state()).status == "unavailable"


async def test_a_neo4j_that_is_too_slow_to_warm_up_is_served_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After three tries: what only makes the first requests fast keeps nobody from being served."""
    tries = []

    async def too_slow(*_: Any) -> None:
        tries.append(1)
        raise UnavailableError

    monkeypatch.setattr(readiness, "warm_up", too_slow)
    monkeypatch.setattr(readiness, "RETRY", Backoff(first_s=0, last_s=0))
    models = ActiveModels([Embedder(Provider(), VectorCache(10))], Plans())
    made = Readiness(cast(Database, Neo4j()), models, lambda _: None)
    await made.prepare()
    assert (len(tries), (await made.state()).status) == (3, "ready")
