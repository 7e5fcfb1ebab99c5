"""What a server does with its models under the plan, and for how long it trusts what it has read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from gather_brain.embeddings.active_models import POLL_S, RETRY_S, ActiveModels, RequestModels
from gather_brain.embeddings.embedder import Embedder, Keep, VectorCache, keep_nothing
from gather_brain.embeddings.readability import Unread
from gather_brain.embeddings.reembedding_plan import LEASE_S, Phase, ReembeddingPlan, flipped, started
from gather_brain.embeddings.slots import Model, Place
from gather_brain.errors import UnavailableError
from gather_brain.vectors import Matrix
from tests.support.fake_clock import FakeClock

ONE = Model("one", 2)
TWO = Model("two", 3)
STEADY = ReembeddingPlan(epoch=0, phase=Phase.STEADY, active=Place("a", ONE))
FILLING = started(STEADY, TWO)
CLOSING = replace(FILLING, phase=Phase.CLOSING)


@dataclass
class Provider:
    """A provider that can be unavailable."""

    model: Model
    is_unavailable: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def dimensions(self) -> int:
        return self.model.dimensions

    async def prepare(self) -> None:
        if self.is_unavailable:
            raise UnavailableError

    async def embed(self, texts: Sequence[str], keep: Keep = keep_nothing) -> Matrix:
        if self.is_unavailable:
            raise UnavailableError
        self.asked.extend(texts)
        rows = np.ones((len(texts), self.dimensions), np.float32)
        keep(texts, rows)
        return rows

    async def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        return [None] * len(texts)

    async def close(self) -> None:
        pass


@dataclass
class Plans:
    """A store with one plan."""

    plan: ReembeddingPlan | None
    is_unavailable: bool = False

    async def read(self) -> ReembeddingPlan | None:
        if self.is_unavailable:
            raise UnavailableError
        return self.plan

    async def ensure(self, model: Model) -> ReembeddingPlan:
        self.plan = ReembeddingPlan(0, Phase.STEADY, Place("a", model))
        return self.plan


@dataclass
class Server:
    """A server with one or two models."""

    plans: Plans
    providers: list[Provider]
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        cache = VectorCache(10)
        self.models = ActiveModels(
            [Embedder(provider, cache) for provider in self.providers], self.plans, clock=self.clock
        )

    def request_models(self) -> RequestModels:
        """Its models for a request."""
        request_models = self.models.for_request()
        assert request_models is not None
        return request_models


def server(plan: ReembeddingPlan | None, *models: Model) -> Server:
    """A server that has read nothing yet."""
    return Server(Plans(plan), [Provider(model) for model in models])


async def test_the_first_server_makes_the_plan_for_its_model() -> None:
    """An empty Neo4j."""
    made = server(None, ONE)
    assert made.models.for_request() is None
    assert (await made.models.prepare()).active == Place("a", ONE)
    assert made.request_models().place == Place("a", ONE)
    assert made.models.problem is None


async def test_a_server_with_another_model_serves_nothing_and_says_why() -> None:
    """It would find nothing, which looks like an answer."""
    made = server(STEADY, TWO)
    await made.models.prepare()
    assert made.models.for_request() is None
    assert "gather-brain reembed" in (made.models.problem or "")


async def test_a_plan_is_trusted_for_a_few_seconds_from_when_it_was_asked_for() -> None:
    """While Neo4j is unavailable the plan may change."""
    made = server(STEADY, ONE)
    await made.models.prepare()
    made.clock.now_s += LEASE_S
    assert made.models.for_request() is not None
    made.clock.now_s += 0.1
    assert made.models.for_request() is None
    await made.models.refresh()
    assert made.models.for_request() is not None


async def test_a_plan_that_could_not_be_read_is_soon_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are refused until it is, though Neo4j answers already."""
    made = server(STEADY, ONE)
    await made.models.prepare()
    pauses: list[float] = []

    async def sleep(duration_s: float) -> None:
        pauses.append(duration_s)
        made.plans.is_unavailable = len(pauses) in {2, 3}
        if len(pauses) == 5:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await made.models.watch()
    assert pauses == [POLL_S, POLL_S, RETRY_S, RETRY_S, POLL_S]


async def test_the_change_is_noticed_and_a_request_under_way_keeps_what_it_began_with() -> None:
    """Its embedder and its slot belong together."""
    made = server(CLOSING, ONE, TWO)
    await made.models.prepare()
    before = made.request_models()
    made.plans.plan = flipped(CLOSING)
    await made.models.refresh()
    after = made.request_models()
    assert (before.place.model, before.embedder.name) == (ONE, "one")
    assert (after.place, after.embedder.name) == (Place("b", TWO), "two")
    assert made.models.slot == "b"


@pytest.mark.parametrize("plan", [FILLING, CLOSING, flipped(CLOSING)])
async def test_a_write_brings_the_vectors_of_both_models(plan: ReembeddingPlan) -> None:
    """Each for its own slot."""
    made = server(plan, ONE, TWO)
    await made.models.prepare()
    embedded = await made.request_models().embed_for_writing(["text"])
    assert {each.place: each.rows.shape for each in embedded} == {
        Place("a", ONE): (1, 2),
        Place("b", TWO): (1, 3),
    }


async def test_an_unavailable_next_model_stops_no_write_until_it_is_needed() -> None:
    """The command fills the gap."""
    made = server(FILLING, ONE, TWO)
    await made.models.prepare()
    made.providers[1].is_unavailable = True
    (embedded,) = await made.request_models().embed_for_writing(["text"])
    assert embedded.place.model == ONE
    made.plans.plan = CLOSING
    await made.models.refresh()
    with pytest.raises(UnavailableError):
        await made.request_models().embed_for_writing(["another text"])


async def test_a_server_without_a_model_that_is_needed_writes_nothing() -> None:
    """Not even what it could embed."""
    made = server(CLOSING, ONE)
    await made.models.prepare()
    with pytest.raises(UnavailableError):
        await made.request_models().embed_for_writing(["text"])
    assert made.providers[0].asked == []


async def test_a_model_unavailable_at_the_start_is_used_when_it_is_back() -> None:
    """An endpoint whose dimensions are not known yet."""
    made = server(STEADY, ONE)
    made.providers[0].is_unavailable = True
    await made.models.prepare()
    assert made.models.for_request() is None
    made.providers[0].is_unavailable = False
    await made.models.prepare()
    assert made.models.for_request() is not None


async def test_vectors_of_two_models_are_cached_apart() -> None:
    """The same text is another vector."""
    made = server(FILLING, ONE, TWO)
    await made.models.prepare()
    for _ in range(2):
        await made.request_models().embed_for_writing(["text"])
    assert [provider.asked for provider in made.providers] == [["text"], ["text"]]
