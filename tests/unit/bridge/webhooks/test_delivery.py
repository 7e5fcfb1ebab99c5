"""Delivery to webhooks: at least once, in order, from where it was left, and given up after a day."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gather_bridge.errors import DeliveryFailed, UrlRefused
from gather_bridge.live.replay import Position
from gather_bridge.metrics import Metrics
from gather_bridge.webhooks import delivery
from gather_bridge.webhooks.delivery import JITTER, RETRY_MAX_S, Dispatcher
from gather_bridge.webhooks.lease import Lease
from gather_bridge.webhooks.registered_runs import RegisteredRuns, resumed
from gather_bridge.webhooks.registrations import Registration, parse_registration
from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_clients.outbox.outbox_entries import Waiting
from gather_clients.stored_event import StoredEvent
from gather_contracts.events import AutomationCancelled, Deduplicating, timestamp
from tests.support.events.stored_events import stored

P = "66f1a2b3c4d5e6f708192a3b"
URL = "https://app.example/hooks"


def an_event(offset: int, run_uid: str = "u-1", epoch: str = "e1", at: str = "") -> StoredEvent:
    sent = Deduplicating(
        project_id=P, run="film", run_uid=run_uid, department="story", offset=offset, epoch=epoch, at=at
    )
    return stored(sent)


def the_end(offset: int, run_uid: str = "u-1") -> StoredEvent:
    sent = AutomationCancelled(
        project_id=P, run="film", run_uid=run_uid, items_created_so_far=3, offset=offset, epoch="e1"
    )
    return stored(sent)


class World:
    """Log, store and receiver in memory."""

    def __init__(self) -> None:
        self.events: list[StoredEvent] = []
        self.saved: dict[str, Registration] = {}
        self.taken: list[int] = []
        self.calls = 0
        self.failures: list[Exception] = []
        self.now_s = 1_790_000_000.0
        self.has_lease = True
        self.all_ended = asyncio.Event()

    async def position(self, project_id: str) -> tuple[str, int]:  # noqa: ARG002 - one project
        return (self.events[-1].epoch, self.events[-1].offset) if self.events else ("", 0)

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:  # noqa: ARG002
        return [e for e in self.events if e.offset > after_offset][:limit]

    async def listed(self) -> list[str]:
        return [uid for uid, registration in self.saved.items() if not registration.ended]

    async def load(self, run_uid: str) -> Registration | None:
        return self.saved.get(run_uid)

    async def heads(self, project_ids: list[str]) -> dict[str, Position]:
        return {project_id: Position(*await self.position(project_id)) for project_id in project_ids}

    async def save(self, registration: Registration) -> None:
        self.saved[registration.run_uid] = registration

    async def end(self, run_uid: str, why: str) -> None:
        self.saved[run_uid] = replace(self.saved[run_uid], ended=why)
        if not await self.listed():
            self.all_ended.set()

    async def forget(self, run_uid: str) -> None:
        pass

    async def deliver(self, event: Waiting) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(json.loads(event.text)["offset"])

    async def hold(self, holder: str, duration_s: float) -> bool:  # noqa: ARG002 - the only one
        return self.has_lease

    async def release(self, holder: str) -> None:
        pass

    def register(self, run_uid: str = "u-1", position: Position | None = None) -> None:
        self.saved[run_uid] = Registration(run_uid, P, "film", URL, position or Position())

    async def serve(self) -> None:
        """Run the dispatcher until every registration has ended."""
        source = RegisteredRuns(self, self, Metrics(), clock=lambda: self.now_s)
        dispatcher = Dispatcher(
            [source], Lease(self), self, metrics=Metrics(), retry_base_s=0.001, clock=lambda: self.now_s
        )
        task = asyncio.create_task(dispatcher.run())
        try:
            async with asyncio.timeout(30):
                await self.all_ended.wait()
        finally:
            await end_tasks([task])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(delivery, "SWEEP_S", 0.01)
    return World()


async def test_every_event_of_the_run_is_delivered_in_order_until_its_last(world: World) -> None:
    """Other runs of the project are not this webhook's business."""
    world.register()
    world.events = [an_event(1), an_event(2, "u-2"), an_event(3), the_end(4, "u-2"), the_end(5), an_event(6)]
    await world.serve()
    assert world.taken == [1, 3, 5]
    assert world.saved["u-1"].ended == "complete"


async def test_a_failed_event_is_tried_again_before_the_next(world: World) -> None:
    """Order is part of the promise."""
    world.register()
    world.failures = [DeliveryFailed("status 500")] * 3
    world.events = [an_event(1), an_event(2), the_end(3)]
    await world.serve()
    assert (world.taken, world.calls) == ([1, 2, 3], 6)


async def test_a_new_process_goes_on_where_the_old_one_ended(world: World) -> None:
    """What was taken is kept after each event."""
    world.register(position=Position("e1", 2))
    world.events = [an_event(1), an_event(2), an_event(3), the_end(4)]
    await world.serve()
    assert world.taken == [3, 4]


def failing(world: World, failures: int, since_s: float) -> None:
    world.register()
    world.saved["u-1"] = replace(world.saved["u-1"], failures=failures, failing_since_s=world.now_s - since_s)


DAY_S = delivery.GIVE_UP_AFTER_S
MANY = delivery.TRIES_MIN


@pytest.mark.parametrize(
    ("failures", "since_s", "is_given_up"),
    [
        pytest.param(MANY, DAY_S + 1, True, id="a day and many tries"),
        pytest.param(MANY, DAY_S - 1, False, id="less than a day"),
        pytest.param(1, DAY_S + 1, False, id="the bridge was away for the day"),
    ],
)
async def test_an_event_is_given_up_a_day_after_it_failed_first(
    world: World, failures: int, since_s: float, *, is_given_up: bool
) -> None:
    """The day counts over restarts of the bridge; what is younger is tried all the same."""
    failing(world, failures, since_s)
    world.failures = [DeliveryFailed("no answer in time")]
    world.events = [an_event(1), the_end(2)]
    await world.serve()
    assert world.taken == ([2] if is_given_up else [1, 2])


async def test_a_recovery_begins_the_day_again(world: World) -> None:
    """The first 503 after it is a first failure."""
    failing(world, MANY, DAY_S - 1)
    world.events = [an_event(1), an_event(2), the_end(3)]
    deliver = world.deliver

    async def recovering(event: Waiting) -> None:
        if world.taken == [1] and world.calls == 1:
            world.now_s += DAY_S
            world.failures = [DeliveryFailed("status 503")]
        await deliver(event)

    world.deliver = recovering  # type: ignore[method-assign]
    await world.serve()
    assert (world.taken, world.calls) == ([1, 2, 3], 4)


async def test_what_is_as_old_as_what_was_given_up_is_not_tried(world: World) -> None:
    """Events of a dead receiver do not take a day each."""
    failing(world, MANY, DAY_S + 1)
    world.failures = [DeliveryFailed("no answer in time")]
    old = timestamp(datetime.fromtimestamp(world.now_s - DAY_S - 1, UTC))
    world.events = [an_event(1), an_event(2, at=old), an_event(3), the_end(4)]
    await world.serve()
    assert (world.taken, world.calls) == ([3, 4], 3)


async def test_a_url_that_can_never_work_is_not_tried_again(world: World) -> None:
    """Trying again would change nothing; the run's end takes it off the list."""
    world.register()
    world.failures = [UrlRefused("not a plain https URL")] * 2
    world.events = [an_event(1), the_end(2)]
    await world.serve()
    assert (world.taken, world.calls, world.saved["u-1"].ended) == ([], 2, "complete")


async def test_without_the_lease_nothing_is_sent(world: World) -> None:
    """Another bridge has it; when it goes, this one goes on."""
    world.register()
    world.events = [an_event(1), the_end(2)]
    world.has_lease = False
    asked = asyncio.Event()

    async def hold(holder: str, duration_s: float) -> bool:
        asked.set()
        return world.has_lease

    world.hold = hold  # type: ignore[method-assign]
    serving = asyncio.create_task(world.serve())
    await asked.wait()
    assert world.calls == 0
    world.has_lease = True
    await serving
    assert world.taken == [1, 2]


async def test_a_new_log_is_delivered_from_its_beginning(world: World) -> None:
    """Offsets of the old one say nothing."""
    world.register(position=Position("old", 7))
    world.events = [an_event(1), the_end(2)]
    await world.serve()
    assert world.taken == [1, 2]


async def test_one_failing_receiver_does_not_hold_up_another(world: World) -> None:
    """Each run has a task of its own."""
    world.register()
    world.register("u-2")
    world.failures = [DeliveryFailed("status 500")] * 5
    world.events = [an_event(1), an_event(2, "u-2"), the_end(3), the_end(4, "u-2")]
    await world.serve()
    assert sorted(world.taken) == [1, 2, 3, 4]


def test_waits_double_up_to_a_bound() -> None:
    """With a fifth of jitter, so that receivers are not called in step."""
    backoff = Backoff(1, RETRY_MAX_S, JITTER)
    assert [backoff.wait_s(n, 0.5) for n in (1, 2, 3, 4, 10, 1000)] == [1, 2, 4, 8, 300, 300]
    assert backoff.wait_s(1, 1) == 1.2
    assert backoff.wait_s(1, 0) == 0.8


def test_a_position_counts_only_in_its_own_log() -> None:
    """Another epoch, or a log that went back, is read from its beginning."""
    assert resumed(Position("e1", 3), Position("e1", 5)) == Position("e1", 3)
    assert resumed(Position("e1", 3), Position("e2", 5)) == Position("e2", 0)
    assert resumed(Position("e1", 9), Position("e1", 5)) == Position("e1", 0)
    assert resumed(Position(), Position("e1", 5)) == Position()


def test_an_unreadable_registration_is_none() -> None:
    """The hash has expired, or somebody else wrote it."""
    fields = {"project_id": P, "run": "film", "url": URL}
    assert parse_registration("u-1", fields) == Registration("u-1", P, "film", URL, Position())
    assert parse_registration("u-1", {**fields, "epoch": "e1", "offset": "7", "failing_since": "1.5"}) == (
        Registration("u-1", P, "film", URL, Position("e1", 7), 0, 1.5)
    )
    assert parse_registration("u-1", {}) is None
    assert parse_registration("u-1", {**fields, "offset": "x"}) is None


async def test_fifty_new_runs_read_a_large_log_once(world: World) -> None:
    """However their looks at its end and its pages interleave."""
    reads = []

    async def position(project_id: str) -> tuple[str, int]:
        world.events.append(an_event(len(world.events) + 1, "u-old"))
        return "e1", len(world.events)

    async def read(project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:
        reads.append(after_offset)
        await asyncio.sleep(0)
        return [e for e in world.events if e.offset > after_offset][:limit]

    world.events = [an_event(n + 1, "u-old") for n in range(3000)]
    world.position, world.read = position, read  # type: ignore[method-assign]
    source = RegisteredRuns(world, world, Metrics())
    for number in range(50):
        world.register(f"u-{number}")
    assert await asyncio.gather(*(source.waiting(f"u-{number}") for number in range(50))) == [[]] * 50
    assert sum(after < 3000 for after in reads) == 6
