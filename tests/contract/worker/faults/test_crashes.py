"""A worker that dies before or after every single call to MongoDB, and its successors: nothing lost or
doubled.

The calls are counted in a run that nobody disturbs, so that no crash point is chosen by hand. MongoDB is
real; the model and the brain answer in this process, so that what they were asked can be counted.
"""

import asyncio
import gc
import itertools
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar
from unittest.mock import AsyncMock

import httpx
import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from gather_clients.brain_client import BrainClient
from gather_contracts import names
from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import Terminated
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.ledger import RESERVES_MAX
from gather_worker.llm.pricing import Price
from gather_worker.services.brain import Brain
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.mongodb import OPERATION_TIMEOUT_S
from gather_worker.services.store import Store
from gather_worker.settings import Settings
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.drafting import Drafter
from gather_worker.steps.pipeline import Pipeline
from tests.support.application_documents import accept, gather_item
from tests.support.fakes import FakeAnswerCache, FakeBrain, FakeEventLog, FakeModel
from tests.support.scripted_model import client_of
from tests.support.worker_harness import run_document
from tests.support.workers.given_up_sockets import LEFT_BY_MONGODB

pytestmark = LEFT_BY_MONGODB

T = TypeVar("T")
PRICE = Price(0, 1e-5)
"""Less than the model charges: a longest answer is reckoned at a cent before the first one tells more."""
ITERATIONS = 3

_LOGGER = logging.getLogger(__name__)


class Killed(BaseException):
    """The process is gone; nothing below catches it."""


class MortalStore(Store):
    """A store whose process dies at one of its calls: `(number from 1, after the call)`."""

    dies_at: tuple[int, bool] | None = None
    is_dead = False
    calls = 0

    async def persist(
        self,
        operation: Callable[[], Awaitable[T]],
        collection: str = names.ITEMS_COLLECTION,
        timeout_s: float = OPERATION_TIMEOUT_S,
    ) -> T:
        self.calls += 1
        is_due = self.dies_at is not None and self.dies_at[0] == self.calls
        if is_due and self.dies_at is not None and not self.dies_at[1]:
            self.is_dead = True
        self._check()
        result = await super().persist(operation, collection, timeout_s)
        self.is_dead = self.is_dead or is_due
        self._check()
        return result

    def _check(self) -> None:
        """No other step of a dead process goes on either."""
        if self.is_dead:
            raise Killed


class World:
    """One department's run, and every worker that it takes."""

    def __init__(self, mongodb_uri: str, iterations: int = ITERATIONS, **spec: Any) -> None:
        self.uri = mongodb_uri
        self.iterations = iterations
        spec = {"enableAutoEvaluation": False, **spec}
        self.document = run_document(uuid.uuid4().hex[:24], str(uuid.uuid4()), **spec)
        self.model, self.brain, self.log, self.answers = (
            FakeModel(),
            FakeBrain(),
            FakeEventLog(),
            FakeAnswerCache(),
        )
        self.under_way = Attempt(0)
        self.settings = Settings(
            MONGODB_URI=SecretStr(mongodb_uri), REDIS_URL=SecretStr("redis://none"),
            BRAIN_SERVICE_BASE_URL="http://brain", BRAIN_SERVICE_API_KEY=SecretStr("k"),
        )  # fmt: skip

    async def attempt(self, dies_at: tuple[int, bool] | None = None) -> tuple[StopReason | None, int]:
        """Run one worker; return its reason (None: killed) and how many calls it made."""
        attempt = self.under_way = Attempt(60)
        project_id = self.document.spec.project_id
        store = MortalStore(self.uri, project_id, attempt, 10)
        store.dies_at = dies_at
        client = client_of(self.model.answer)
        brain = BrainClient("http://brain", "k", transport=httpx.MockTransport(self.brain.answer))
        task = DepartmentTask(self.document, 0, self.iterations, "pod")
        dependencies = Dependencies(
            store,
            Brain(brain, attempt, project_id),
            ModelGateway(
                client,
                attempt,
                timeout_s=5,
                max_tokens=1000,
                budget=BudgetGuard(self.document.spec.budget, PRICE),
                cache=self.answers,  # type: ignore[arg-type]
            ),
            EventPublisher(self.log, task.document, task.department, self.iterations),
        )
        try:
            return await Pipeline(task, self.settings, dependencies, attempt).run(), store.calls
        except Killed:
            return None, store.calls
        finally:
            for tool in (dependencies.store, dependencies.brain, dependencies.model):
                await tool.close()

    async def check(self) -> dict[str, Any]:
        """Assert all that must hold at the end, however it was reached; return the checkpoint."""
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.uri)
        database = client[names.gather_database(self.document.spec.project_id)]
        items = await database[names.ITEMS_COLLECTION].find().to_list()
        checkpoints = await database[names.CHECKPOINTS_COLLECTION].find().to_list()
        await client.drop_database(database.name)
        await client.close()
        (checkpoint,) = checkpoints
        assert checkpoint["iterations"] == len(checkpoint["scores"]) == self.iterations
        assert (checkpoint["pending"], checkpoint["unindexed"], checkpoint["drafts"]) == ([], [], [])
        assert (
            checkpoint["itemsCreated"]
            == len(items)
            == len({i["content"].lower() for i in items})
            == 5 * self.iterations
        )
        assert {str(i["_id"]): i["automationMetadata"]["qualityScore"] for i in items} == {
            i: node["qualityScore"] for i, node in self.brain.nodes.items()
        }
        assert {i["automationMetadata"]["qualityScore"] for i in items} == set(checkpoint["scores"])
        self._check_events(checkpoint)
        self._check_ledger(checkpoint["ledger"])
        return dict(checkpoint)

    async def delete_notes(self) -> set[str]:
        """Delete the notes that are there, as a person does, and their nodes; return their ids."""
        async with AsyncMongoClient[dict[str, Any]](self.uri) as client:
            gather = client[names.gather_database(self.document.spec.project_id)][names.ITEMS_COLLECTION]
            gone = {str(document["_id"]) async for document in gather.find({}, {"_id": 1})}
            await gather.delete_many({})
        for note_id in gone:
            self.brain.nodes.pop(note_id, None)
        return gone

    @property
    def drafts_answered(self) -> int:
        """Return how many answers with notes arrived at a worker."""
        return sum('"items"' in kept.text for kept in self.answers.kept.values())

    def _check_ledger(self, ledger: dict[str, Any]) -> None:
        """Each answer that came is charged once, at its price; of one cut off the reserve stands."""
        answered = len(self.answers.kept)
        assert ledger["requests"] == answered
        assert ledger["costUsd"] == pytest.approx(0.01 * answered)
        assert self.model.requests - answered <= len(ledger["reserved"]) < RESERVES_MAX

    def _check_events(self, checkpoint: dict[str, Any]) -> None:
        iterations = [e for e in self.log.sent.values() if e.type == "iteration_complete"]
        assert [(e.iteration, e.items_created) for e in iterations] == [
            (n, 5 * n) for n in range(1, self.iterations + 1)
        ]
        assert [e.quality_score for e in iterations] == checkpoint["scores"]
        assert sum(e.type == "department_complete" for e in self.log.sent.values()) == 1


@pytest.fixture(autouse=True)
def _garbage_of_the_dead() -> Iterator[None]:
    """Find a dead process's open sockets in the test that killed it, not in a later one."""
    yield
    gc.collect()


SAMPLE_AND_WHOLE: Final = pytest.mark.parametrize(
    "step", [3, pytest.param(1, marks=pytest.mark.long)], ids=["every third", "every call"]
)
LEFT: Final = ["a" * 24, "b" * 24]
"""Ids of notes that another department left."""


async def with_leftovers(world: World) -> World:
    """Let a worker of another department of the project have accepted notes and gone."""
    project_id = world.document.spec.project_id
    store = Store(world.uri, project_id, Attempt(60), 10)
    await accept(store, [gather_item(each, project_id, f"The bell {each} rings.") for each in LEFT], "sound")
    await store.close()
    return world


@pytest.fixture
def new_world(either_mongodb_uri: str) -> Callable[..., World]:
    """Make worlds."""
    return partial(World, either_mongodb_uri)


@SAMPLE_AND_WHOLE
async def test_a_death_at_any_call_loses_and_doubles_nothing(
    new_world: Callable[..., World], step: int, *, has_transactions: bool
) -> None:
    """Every call, before and after it; and an answer that was paid for is not paid for again."""
    iterations = 2 if has_transactions else 1
    quiet = new_world(iterations)
    reason, calls = await quiet.attempt()
    assert reason is StopReason.ITERATIONS_USED
    reference = await quiet.check()
    assert quiet.model.written == iterations
    for number, after in itertools.product(range(1, calls + 1, step), (False, True)):
        world = new_world(iterations)
        assert (await world.attempt((number, after)))[0] is None
        assert (await world.attempt())[0] is StopReason.ITERATIONS_USED
        checkpoint = await world.check()
        assert checkpoint["scores"] == reference["scores"]
        assert world.drafts_answered == iterations


@SAMPLE_AND_WHOLE
async def test_notes_that_a_person_deletes_after_a_death_come_back_nowhere(
    new_world: Callable[..., World], step: int, *, has_transactions: bool
) -> None:
    """Every call, before and after it: MongoDB and the brain, the department's own notes and those that
    another department left.
    """
    _, calls = await (await with_leftovers(new_world(1))).attempt()
    deaths = list(itertools.product(range(1, calls + 1, step), (False, True)))
    deleted = back = 0
    for death in deaths:
        world = await with_leftovers(new_world(1))
        assert (await world.attempt(death))[0] is None
        gone = await world.delete_notes()
        assert (await world.attempt())[0] is StopReason.ITERATIONS_USED
        there = await world.delete_notes()
        assert len(there | gone) == 5 + len(LEFT)
        # Of the one note in hand a single server does not know whether it was deleted or never written.
        assert len(there & gone) <= (not has_transactions), death
        assert not (gone - there) & world.brain.nodes.keys()
        deleted, back = deleted + len(gone), back + len(there & gone)
    _LOGGER.info("%d deaths: %d notes deleted, %d came back", len(deaths), deleted, back)
    assert deleted
    if step == 1:
        assert back == (0 if has_transactions else 2 * (5 + len(LEFT)))


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 10))]
)
async def test_deaths_of_several_workers_in_a_row_lose_and_double_nothing(
    new_world: Callable[[], World], seed: int
) -> None:
    """A node that crashes everything again and again, also while the model is writing."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    world = new_world()

    async def wait(_name: str) -> None:
        for _ in range(chance.randint(0, 200)):
            await asyncio.sleep(0)

    world.model.wait = wait
    for _ in range(4):
        await world.attempt((chance.randint(3, 14), chance.random() < 0.5))
    assert (await world.attempt())[0] is StopReason.ITERATIONS_USED
    await world.check()


@pytest.mark.parametrize(("cap_usd", "iterations", "requests"), [(0, 0, 0), (0.5, 1, 1)])
async def test_a_used_budget_ends_the_department_with_what_it_paid_for(
    mongodb_uri: str, cap_usd: float, iterations: int, requests: int
) -> None:
    """Nothing buys nothing. The first answer shows that a longest one may cost a dollar: nobody judges it,
    but its notes are saved, scored by the brain and indexed.
    """
    world = World(mongodb_uri, budget={"maxCostUSD": cap_usd})
    world.model.cost_usd = 0.3
    assert (await world.attempt())[0] is StopReason.BUDGET_USED
    assert (await world.attempt())[0] is StopReason.BUDGET_USED
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        database = client[names.gather_database(world.document.spec.project_id)]
        items = await database[names.ITEMS_COLLECTION].find().to_list()
        (checkpoint,) = await database[names.CHECKPOINTS_COLLECTION].find().to_list()
        await client.drop_database(database.name)
    assert (world.model.requests, checkpoint["iterations"]) == (requests, iterations)
    assert len(checkpoint["scores"]) == iterations
    assert len(items) == len(world.brain.nodes) == 5 * iterations
    assert (checkpoint["pending"], checkpoint["unindexed"], checkpoint["finished"]) == ([], [], "BudgetUsed")


# --- the next notes, written early


async def test_the_next_notes_are_written_while_the_judge_reads(new_world: Callable[[], World]) -> None:
    """A judge that waits for them gets them, but in the last iteration, after which there are none."""
    world = new_world()
    asked: list[str] = []
    is_next_asked = asyncio.Semaphore(0)

    async def wait(name: str) -> None:
        asked.append(name)
        if name == "generate" and asked.count("generate") > 1:
            is_next_asked.release()
        if name == "judge" and asked.count("judge") < ITERATIONS:
            async with asyncio.timeout(30):
                await is_next_asked.acquire()

    world.model.wait = wait
    assert (await world.attempt())[0] is StopReason.ITERATIONS_USED
    await world.check()
    assert asked.count("generate") == world.model.written == ITERATIONS


async def test_notes_that_may_be_needless_are_not_written_early(new_world: Callable[[], World]) -> None:
    """With this coverage a good verdict ends the department, and so it does."""
    world = new_world()
    world.brain.coverages, world.model.verdicts = [100, 100], [60, 70]
    assert (await world.attempt())[0] is StopReason.THRESHOLD_REACHED
    assert world.model.written == 2


async def test_early_notes_are_taken_in_though_the_verdict_made_them_needless(
    new_world: Callable[[], World],
) -> None:
    """They are paid for. No verdict is expected to rise so much; if one does, the end comes one later."""
    world = new_world()
    world.brain.coverages, world.model.verdicts = [10, 60, 60], [50, 100, 100]
    assert (await world.attempt())[0] is StopReason.THRESHOLD_REACHED
    checkpoint = await world.check()
    assert checkpoint["scores"] == [34.0, 84.0, 84.0]
    assert world.model.written == ITERATIONS


async def test_early_notes_that_are_here_are_kept_when_sigterm_comes(
    new_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict that is being waited for ends the attempt, while the write of the notes is on its way."""
    world = new_world()
    monkeypatch.setattr(world.answers, "put", AsyncMock())  # nobody remembers what was paid for
    is_closing = asyncio.Event()
    write, close = MortalStore.write, Drafter.close

    async def slow_write(store: MortalStore, checkpoint: Checkpoint, **options: bool) -> None:
        if checkpoint.drafts and checkpoint.iterations == 1 and not is_closing.is_set():
            world.under_way.terminate()
            await is_closing.wait()
        await write(store, checkpoint, **options)

    async def close_heard(drafter: Drafter) -> None:
        is_closing.set()
        await close(drafter)

    async def wait(name: str) -> None:
        if name == "judge":
            await asyncio.Event().wait()

    monkeypatch.setattr(MortalStore, "write", slow_write)
    monkeypatch.setattr(Drafter, "close", close_heard)
    world.model.wait = wait
    with pytest.raises(Terminated):
        await world.attempt()
    world.model.wait = None
    assert (await world.attempt())[0] is StopReason.ITERATIONS_USED
    assert world.model.written == ITERATIONS
