"""Several departments of a run at work at once: the cap holds, and each sees what the others have saved."""

import asyncio
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from dev.service_process import ServiceProcess
from gather_clients.brain_client import BrainClient
from gather_contracts import names
from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt
from gather_worker.department.task import DepartmentTask
from gather_worker.llm.gateway import ModelGateway
from gather_worker.services.brain import Brain
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.store import Store
from gather_worker.settings import Settings
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.pipeline import Pipeline
from tests.support.fakes import FakeBrain, FakeEventLog, FakeModel
from tests.support.injectable_model import InjectableModel, fenced, harmless, served
from tests.support.scripted_model import client_of
from tests.support.worker_harness import WorkerHarness, run_document

NewHarness = Callable[..., WorkerHarness]
AT_ONCE = 4
CAP_TOKENS, CAP_USD = 50_000, 0.25
"""Of the demo model some five iterations, so that four workers meet at the end of it."""
WAIT_S = 60


def four_departments(harness: WorkerHarness) -> None:
    """Give the run four departments that never reach their thresholds."""
    first = harness.document.departments[0]
    others = [
        first.model_copy(update={"slug": slug, "name": slug.title(), "code_dep_number": 30 + number})
        for number, slug in enumerate(("sound", "camera"))
    ]
    departments = [*harness.document.departments, *others]
    harness.document = harness.document.model_copy(update={"departments": departments})
    harness.set_threshold(100)


def charged(harness: WorkerHarness) -> tuple[float, int]:
    """Return what the demo model has charged since its start: USD and tokens."""
    totals = httpx.get(f"{harness.services.model_uri}/demo/usage", timeout=30).json()["usage"]
    return totals["cost"], totals["total_tokens"]


def reserved(harness: WorkerHarness) -> list[dict[str, Any]]:
    """Return what is still set aside."""
    return [r for checkpoint in harness.checkpoints() for r in checkpoint["ledger"]["reserved"]]


@pytest.mark.parametrize("kind", ["mongodb_store", "replica_set_store"])
def test_four_workers_at_once_never_spend_more_than_the_cap(
    new_harness: NewHarness, request: pytest.FixtureRequest, kind: str
) -> None:
    """They use it up together: none gives up because of what another has only set aside."""
    is_single = kind == "mongodb_store"
    budget: dict[str, Any] = {"maxTokens": CAP_TOKENS} if is_single else {"maxCostUSD": CAP_USD}
    harness = new_harness(budget=budget, parallelism=AT_ONCE)
    store: ServiceProcess = request.getfixturevalue(kind)
    harness.services = replace(harness.services, mongodb_uri=store.uri)
    four_departments(harness)
    before_usd, before_tokens = charged(harness)
    workers = [harness.start(index, 50) for index in range(AT_ONCE)]
    ended = [worker.wait(240) for worker in workers]
    usd, tokens = charged(harness)
    assert {e.exit_code for e in ended} == {0}, [e.messages() for e in ended]
    assert StopReason.BUDGET_USED in {e.result.reason for e in ended if e.result}
    assert usd - before_usd <= budget.get("maxCostUSD", float("inf"))
    assert tokens - before_tokens <= budget.get("maxTokens", float("inf"))
    assert reserved(harness) == []
    results = [e.result for e in ended if e.result]
    assert sum(r.tokens for r in results) == tokens - before_tokens
    assert max(tokens - before_tokens - CAP_TOKENS / 2, usd - before_usd - CAP_USD / 2) > 0
    print(f"spent {usd - before_usd:.3f} USD, {tokens - before_tokens} tokens of {budget}")


class GatedModel(InjectableModel):
    """Lets its first asker wait until the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived, self.gate = threading.Event(), threading.Event()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the completion for a request's body."""
        if not self.arrived.is_set():
            self.arrived.set()
            assert self.gate.wait(WAIT_S)
        return super().answer(body)


def test_what_another_department_saves_meanwhile_is_seen(new_harness: NewHarness) -> None:
    """While one waits for its first notes the other saves the same ones: they are not said twice, and stand
    in the next prompt.
    """
    notes = json.dumps({"items": [harmless(number) for number in range(6)]})
    harness = new_harness(parallelism=2)
    harness.set_threshold(100)
    gated = GatedModel()
    with served(gated) as model:
        harness.services = replace(harness.services, model_uri=model.uri)
        model.answers = [notes, notes]
        story = harness.start(0, 2)
        assert gated.arrived.wait(WAIT_S)
        character = harness.run(1, 1)
        assert character.exit_code == 0, character.messages()
        gated.gate.set()
        ended = story.wait()
    assert ended.exit_code == 0, ended.messages()
    saved = [i["content"] for i in harness.items() if i["automationMetadata"]["department"] == "character"]
    assert len(saved) == 6
    first = [
        i
        for i in harness.items()
        if (i["automationMetadata"]["department"], i["automationMetadata"]["iteration"]) == ("story", 1)
    ]
    assert first == []
    prompts = [fenced(body["messages"]) for body in model.requests]
    shown = [p for p in prompts if "related_notes" in p and "Story" in str(p["department"])]
    assert len(shown) == 2
    assert shown[0]["related_notes"] == []
    assert set(shown[1]["related_notes"]) & set(saved)


class NewProject(FakeBrain):
    """A brain that measures nothing of a project without nodes, as the real one; and that takes the first
    node only when it has been asked to measure.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_written_to, self.was_asked = asyncio.Event(), asyncio.Event()
        self.measured: Counter[tuple[str, int]] = Counter()
        """Requests for coverage, by department and status."""

    async def serve(self, request: httpx.Request) -> httpx.Response:
        """Answer, which takes as long as the rest needs to come in this order."""
        path = request.url.path
        if path.endswith("/nodes/batch"):
            self.is_written_to.set()
            await self.was_asked.wait()
        is_new = path.endswith(("/analyze/coverage", "/context/department")) and not self.nodes
        answer = httpx.Response(404, json={"error": "not_found"}) if is_new else self.answer(request)
        if path.endswith("/analyze/coverage"):
            self.was_asked.set()
            self.measured[json.loads(request.content)["department"], answer.status_code] += 1
        return answer


async def test_notes_of_a_new_project_are_scored_whoever_is_indexed_first(
    mongodb_uri: str,
) -> None:
    """One knows of the other's notes by MongoDB; the brain has none of the project, and is asked again."""
    document = run_document(uuid.uuid4().hex[:24], "u-1", enableAutoEvaluation=False, parallelism=2)
    project_id = document.spec.project_id
    brain, model, log = NewProject(), FakeModel(), FakeEventLog()
    settings = Settings(
        MONGODB_URI=SecretStr(mongodb_uri), REDIS_URL=SecretStr("redis://none"),
        BRAIN_SERVICE_BASE_URL="http://brain", BRAIN_SERVICE_API_KEY=SecretStr("k"),
    )  # fmt: skip

    async def work(index: int, serve: Callable[[httpx.Request], Any]) -> None:
        attempt, task = Attempt(60), DepartmentTask(document, index, 1, "pod")
        events: Any = log
        dependencies = Dependencies(
            Store(mongodb_uri, project_id, attempt, 10),
            Brain(
                BrainClient("http://brain", "k", transport=httpx.MockTransport(serve)), attempt, project_id
            ),
            ModelGateway(client_of(model.answer), attempt, timeout_s=5, max_tokens=1000),
            EventPublisher(events, document, task.department, 1),
        )
        try:
            await Pipeline(task, settings, dependencies, attempt).run()
        finally:
            for tool in (dependencies.store, dependencies.brain, dependencies.model):
                await tool.close()

    async def serve_the_later(request: httpx.Request) -> httpx.Response:
        """Its brain has followed MongoDB, and it knows of no other notes yet: now the other one saves its."""
        if request.url.path.endswith("/search/similarity"):  # its drafts with each other
            may_begin.set()
            await brain.is_written_to.wait()
        return await brain.serve(request)

    async def begin_later() -> None:
        await may_begin.wait()
        await work(1, brain.serve)

    may_begin = asyncio.Event()
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        database = client[names.gather_database(project_id)]
        try:
            async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as both:
                both.create_task(work(0, serve_the_later))
                both.create_task(begin_later())
            checkpoints = await database[names.CHECKPOINTS_COLLECTION].find().to_list()
        finally:
            await client.drop_database(database.name)
    assert brain.measured == {("story", 404): 1, ("story", 200): 1, ("character", 200): 1}
    assert all(score is not None for each in checkpoints for score in each["scores"]), checkpoints
    assert [len(each["scores"]) for each in checkpoints] == [1, 1]
