"""The callback feed: each end is put into the store until the run says what became of it."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gather_bridge.http_door import callback_feed
from gather_bridge.http_door.callback_feed import CallbackFeed
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_bridge.task_runs.task_states import Task
from gather_bridge.webhooks.task_callbacks import Callback, CallbackState
from gather_clients.background_tasks import end_tasks
from gather_clients.event_log import EventLogUnavailable
from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Missing
from gather_contracts import names
from tests.unit.bridge.http_door.test_submissions import AT, task

URL = "https://app.example/callbacks"


@dataclass
class FakeCallbackStore:
    """Says of each callback what the test wants next; and what it raises."""

    states: list[Any] = field(default_factory=list)
    put_: list[Callback] = field(default_factory=list)

    async def put(self, callback: Callback) -> CallbackState:
        """Note it."""
        self.put_.append(callback)
        answer = self.states.pop(0) if self.states else CallbackState.WAITING
        if isinstance(answer, Exception):
            raise answer
        return CallbackState(answer)


@dataclass
class FakeMarks:
    """Keeps annotations, or raises what the test wants."""

    failures: list[Exception] = field(default_factory=list)
    marked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def mark(self, name: str, uid: str, *, annotations: dict[str, str]) -> object:  # noqa: ARG002
        """Note it."""
        if self.failures:
            raise self.failures.pop(0)
        self.marked.append((name, annotations))
        return None


def ended(uid: str, phase: str = "Succeeded", **annotations: str) -> Task:
    """A task with a callback."""
    made = task(uid, phase, completionTime=AT.format(10))
    return replace(made, annotations={**made.annotations, names.ANNOTATION_CALLBACK_URL: URL, **annotations})


async def play(store: FakeCallbackStore, marks: FakeMarks, feed: CallbackFeed, puts: int) -> None:
    """Run the feed until so much was put, and settle."""
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(30):
        while len(store.put_) < puts:  # noqa: ASYNC110 - the double tells nobody
            await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    await end_tasks([running])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again without waiting."""
    monkeypatch.setattr(callback_feed, "LOOK_S", 0.001)


async def test_an_end_is_put_until_the_store_knows_what_became_of_it() -> None:
    """Through a store and an API server that are away for a while; then the run says it."""
    store = FakeCallbackStore([EventLogUnavailable("away"), "waiting", "delivered", "delivered"])
    marks, metrics = FakeMarks([ClusterUnavailable("away")]), DoorMetrics()
    feed = CallbackFeed(store, marks, metrics)
    feed.note(ended("a"))
    await play(store, marks, feed, 4)
    assert marks.marked == [("a", {names.ANNOTATION_CALLBACK: "delivered"})]
    assert {(c.run_uid, c.url, c.project_id) for c in store.put_} == {("a", URL, "5" * 24)}
    assert len(store.put_) == 4
    assert metrics.registry.get_sample_value("gather_door_callbacks_waiting") == 0


async def test_only_ends_with_a_callback_that_is_open_are_put() -> None:
    """Once, however often they are heard of; a run that was deleted before its end was cancelled."""
    store, marks = FakeCallbackStore(), FakeMarks()
    feed = CallbackFeed(store, marks, DoorMetrics())
    feed.note(task("none", "Succeeded"))
    feed.note(ended("running", "Running"))
    feed.note(ended("told", **{names.ANNOTATION_CALLBACK: "delivered"}))
    feed.note(ended("open"))
    feed.note(ended("open"))
    feed.note_gone(ended("deleted", "Running"))
    feed.note_gone(ended("told", **{names.ANNOTATION_CALLBACK: "given-up"}))
    await play(store, marks, feed, 2)
    assert [c.run_uid for c in store.put_[:2]] == ["open", "deleted"]
    assert '"status": "cancelled"' in store.put_[1].text


async def test_a_run_that_is_gone_is_asked_for_no_more() -> None:
    """Its callback was delivered, and nobody is left to be told."""
    store, marks = FakeCallbackStore(["delivered"]), FakeMarks([Missing("gone")])
    feed = CallbackFeed(store, marks, DoorMetrics())
    feed.note(ended("a"))
    await play(store, marks, feed, 1)
    assert (len(store.put_), marks.marked) == (1, [])


async def test_many_that_wait_are_looked_at_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few each time, and all of them."""
    monkeypatch.setattr(callback_feed, "LOOKED_AT", 2)
    store, marks = FakeCallbackStore(), FakeMarks()
    feed = CallbackFeed(store, marks, DoorMetrics())
    for uid in "abcde":
        feed.note(ended(uid))
    await play(store, marks, feed, 15)
    assert [c.run_uid for c in store.put_[:15]] == [*"abcde", *"abcde", *"abcde"]
