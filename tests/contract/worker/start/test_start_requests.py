"""What a worker asks until it asks the model, and what waits until then: each request waits for a network.

MongoDB is real; brain, Redis and model answer in this process, where what they are asked is counted.
"""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

import httpx
import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient, monitoring

from gather_clients.brain_client import BrainClient
from gather_contracts import names
from gather_worker.attempt import Attempt
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import Terminated
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.pricing import Price
from gather_worker.services import mongodb
from gather_worker.services.brain import Brain
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.store import Store
from gather_worker.settings import Settings
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.pipeline import Pipeline
from tests.support.fakes import FakeAnswerCache, FakeBrain, FakeEventLog, FakeModel
from tests.support.scripted_model import client_of
from tests.support.worker_harness import run_document

PRICE: Final = Price(0, 1e-5)
OF_THE_DRIVER: Final = frozenset({"hello", "ping", "endSessions", "killSessions"})
"""Commands of connections, not of steps."""
MONGODB_MAX: Final = 14
"""Taking the epoch 2, reading the notes 3, what predecessors left 2, a last look 3, the money 4."""


class CountingBrain(FakeBrain):
    """A brain that counts what it is asked, and shows all nodes of earlier departments."""

    def __init__(self, asked: Counter[str]) -> None:
        super().__init__()
        self._asked = asked
        self.may_list = asyncio.Event()
        """Set where nothing is to wait."""
        self.may_list.set()
        self.when_searched: Callable[[int], object] = lambda _: None
        """Called with the number of the search for what is near."""

    async def answer_when_it_may(self, request: httpx.Request) -> httpx.Response:
        """Answer; with a list of nodes as soon as it may."""
        name = request.url.path.rsplit("/api/v1", 1)[-1]
        self._asked[f"brain: {request.method} {name}"] += 1
        if name == "/nodes" and request.method == "GET":
            await self.may_list.wait()
        if name == "/search/duplicates/batch":
            self.when_searched(self._asked[f"brain: POST {name}"])
        if name != "/context/department":
            return self.answer(request)
        departments = request.url.params.get_list("previousDepartments[]")
        timing = {"query_time_ms": 0, "aggregation_time_ms": 0, "total_time_ms": 0}
        context = {slug: self._context(slug) for slug in departments}
        known = {"projectId": "", "targetDepartment": "", "context": context, "aggregatedSummary": ""}
        return httpx.Response(
            200, json=known | {"relevantNodes": [], "totalNodesAggregated": 0, "timing": timing}
        )

    def _context(self, slug: str) -> dict[str, Any]:
        nodes = [each for each in self._written.values() if each["properties"]["department"] == slug]
        top = [{"nodeId": each["id"], "content": each["content"], "relevance": 0.5} for each in nodes]
        return {"nodeCount": len(nodes), "qualityScore": 80, "topNodes": top, "keyThemes": []}

    def add(self, note_id: str) -> None:
        """Have a node of a note that people have deleted: a copy of another, under its own id."""
        other = next(iter(self._written.values()))
        self._write([other | {"id": note_id}])

    @property
    def ids(self) -> set[str]:
        """Return those of its nodes."""
        return set(self._written)

    def rewrite(self, note_id: str, content: str) -> str:
        """Give a node another text; return what it was."""
        before = str(self._written[note_id]["content"])
        self._written[note_id] = self._written[note_id] | {"content": content}
        return before


class Commands(monitoring.CommandListener):
    """Counts MongoDB's commands, but for those of connections and sessions."""

    def __init__(self, asked: Counter[str]) -> None:
        self._asked = asked

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name not in OF_THE_DRIVER:
            self._asked[f"MongoDB: {event.command_name}"] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Count once."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Count once."""


class World:
    """A run of two departments, and its workers in this process."""

    def __init__(self, mongodb_uri: str) -> None:
        self.uri = mongodb_uri
        self.document = run_document(uuid.uuid4().hex[:24], str(uuid.uuid4()))
        self.asked = Counter[str]()
        self.model, self.brain, self.log = FakeModel(), CountingBrain(self.asked), FakeEventLog()
        self.prompts = list[str]()
        """The last worker's requests for answers."""
        self.settings = Settings(
            MONGODB_URI=SecretStr(mongodb_uri), REDIS_URL=SecretStr("redis://none"),
            BRAIN_SERVICE_BASE_URL="http://brain", BRAIN_SERVICE_API_KEY=SecretStr("k"),
        )  # fmt: skip

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.prompts.append(json.dumps(json.loads(request.content), ensure_ascii=False))
        return await self.model.answer(request)

    async def work(self, index: int, attempt: Attempt) -> None:
        """Let a worker do an iteration of a department."""
        self.prompts.clear()
        project_id = self.document.spec.project_id
        brain = BrainClient("http://brain", "k", transport=httpx.MockTransport(self.brain.answer_when_it_may))
        task = DepartmentTask(self.document, index, 1, "pod")
        answers: Any = FakeAnswerCache()
        model = ModelGateway(
            client_of(self._answer), attempt, timeout_s=5, max_tokens=1000,
            budget=BudgetGuard(self.document.spec.budget, PRICE), cache=answers,
        )  # fmt: skip
        log: Any = self.log
        dependencies = Dependencies(
            Store(self.uri, project_id, attempt, 10),
            Brain(brain, attempt, project_id),
            model,
            EventPublisher(log, task.document, task.department, 1),
        )
        try:
            await Pipeline(task, self.settings, dependencies, attempt).run()
        finally:
            for tool in (dependencies.store, dependencies.brain, dependencies.model):
                await tool.close()

    async def start(self, index: int) -> Counter[str]:
        """Start a worker, end it when it asks the model for notes, and return what it asked before."""
        attempt = Attempt(60)

        async def end(_: str) -> None:
            attempt.terminate()

        self.model.wait = end
        self.asked.clear()
        with pytest.raises(Terminated):
            await self.work(index, attempt)
        return self.asked


@pytest.fixture
async def world(mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A run whose first department has one iteration's notes in both stores."""
    made = World(mongodb_uri)
    counting = partial(AsyncMongoClient, event_listeners=[Commands(made.asked)])
    monkeypatch.setattr(mongodb, "AsyncMongoClient", counting)
    await made.work(0, Attempt(60))
    yield made
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        await client.drop_database(names.gather_database(made.document.spec.project_id))


async def test_the_first_request_does_not_wait_for_a_brain_that_is_equal(world: World) -> None:
    """Its nodes are listed and compared beside it."""
    world.brain.may_list.clear()

    async def let_it_list(_: str) -> None:
        world.brain.may_list.set()

    world.model.wait = let_it_list
    async with asyncio.timeout(60):
        await world.work(1, Attempt(60))


async def test_where_people_deleted_a_note_the_brain_follows_first(world: World) -> None:
    """The prompt would show it."""
    world.brain.add("deleted")
    asked = await world.start(1)
    assert "deleted" not in world.brain.ids
    assert asked["brain: GET /context/department"] == 2


async def test_a_start_asks_no_more_than_it_must(world: World) -> None:
    """Of MongoDB the notes once; of the brain whether it is ready, its nodes, and two kinds of context."""
    asked = await world.start(1)
    assert {name: count for name, count in asked.items() if name.startswith("brain")} == {
        "brain: GET /readyz": 1,
        "brain: GET /nodes": 1,
        "brain: GET /context/department": 1,
        "brain: POST /search/duplicates/batch": 1,
    }
    assert sum(count for name, count in asked.items() if name.startswith("MongoDB")) <= MONGODB_MAX


async def test_an_edit_is_in_the_prompt_before_the_brain_follows(world: World) -> None:
    """Then both stores are read from the beginning, and what differs is written."""
    note_id = min(world.brain.nodes)
    content = world.brain.rewrite(note_id, "Older words.")
    world.asked.clear()
    await world.work(1, Attempt(60))
    assert content in world.prompts[0]
    assert "Older words." not in world.prompts[0]
    assert world.brain.rewrite(note_id, "") == content
    assert world.asked["brain: GET /nodes"] == 3, "compared, read again, and at the run's end"
    assert world.asked["MongoDB: aggregate"]
    searches = world.asked["brain: POST /search/duplicates/batch"]
    assert searches == 3, "for the prompt, for duplicates, and for these again in what the brain has now"


async def test_duplicates_are_looked_for_while_the_brain_is_compared(world: World) -> None:
    """Its list may take seconds, and mostly it has just those notes that MongoDB has."""
    world.brain.may_list.clear()

    def let_it_list(count: int) -> None:
        if count == 2:  # the first was for the prompt
            world.brain.may_list.set()

    world.brain.when_searched = let_it_list
    world.asked.clear()
    async with asyncio.timeout(30):
        await world.work(1, Attempt(3600))
    assert world.asked["brain: POST /search/duplicates/batch"] == 2
