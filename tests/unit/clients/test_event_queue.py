"""Events behind the caller's back: in order, kept while Redis is away, and never waited for."""

import asyncio
from typing import Any

import pytest

from gather_clients.backoff import Backoff
from gather_clients.event_log import EventLogUnavailable
from gather_clients.events import event_queue
from gather_clients.events.event_queue import EventQueue
from gather_contracts.events import Deduplicating, Event

EVENT = Deduplicating(project_id="a" * 24, run="film", run_uid="u-1", department="story")


class Log:
    """Takes events while it is open; each attempt is a turn of the loop."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = asyncio.Event()
        if is_open:
            self.is_open.set()
        self.failing = 0
        self.sent: list[str | None] = []
        self.is_closed = False
        self.asked = 0

    def write_as(self, writer: str, epoch: int) -> None:
        """Nobody follows."""

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Note the key."""
        await self.is_open.wait()
        if self.failing:
            self.failing -= 1
            raise EventLogUnavailable("unavailable")
        if idempotency_key == "too large":
            raise ValueError(event.type)
        self.sent.append(idempotency_key)
        return 1

    async def has_sent(self, project_id: str, idempotency_key: str) -> bool:  # noqa: ARG002
        """Return whether the key was used."""
        self.asked += 1
        if self.failing:
            raise EventLogUnavailable("unavailable")
        return idempotency_key in self.sent

    async def close(self) -> None:
        """Note it."""
        self.is_closed = True


@pytest.fixture(autouse=True)
def _soon(monkeypatch: Any) -> None:
    monkeypatch.setattr(event_queue, "RETRY", Backoff(0.001, 0.001))


async def test_what_failed_is_sent_again_before_what_came_later() -> None:
    """Listeners see events in the order in which they happened, each once."""
    log = Log()
    log.failing = 3
    queue = EventQueue(log, end_s=30)
    for key in ("1", "2", "3"):
        queue.put(EVENT, key)
    await queue.close()
    assert (log.sent, log.is_closed) == (["1", "2", "3"], True)


async def test_an_event_that_arrives_late_comes_neither_twice_nor_after_the_next() -> None:
    """Its sender gave it up and sent it again, under the same key, before anything else."""

    class Late(Log):
        """Carries the first attempt out when the next event arrives."""

        held: str | None = None

        async def append(self, _: Event, idempotency_key: str | None = None) -> int | None:
            if self.held is None:
                self.held = idempotency_key
                raise EventLogUnavailable("no answer in time")
            for key in (idempotency_key, self.held):
                if key not in self.sent:
                    self.sent.append(key)
            return 1

    log = Late()
    queue = EventQueue(log, end_s=30)
    for key in ("iteration/2", "iteration/3"):
        queue.put(EVENT, key)
    await queue.close()
    assert log.sent == ["iteration/2", "iteration/3"]


async def test_a_log_that_hangs_holds_up_neither_the_sender_nor_its_end() -> None:
    """`put` is no coroutine, and the end is bounded."""
    log = Log(is_open=False)
    queue = EventQueue(log, end_s=0.01)
    queue.put(EVENT, "1")
    async with asyncio.timeout(30):
        await queue.close()
    assert (log.sent, log.is_closed) == ([], True)


async def test_of_too_many_the_oldest_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded however long Redis is away; the event under way is not sent twice."""
    monkeypatch.setattr(event_queue, "QUEUED_MAX", 2)
    log = Log(is_open=False)
    queue = EventQueue(log, end_s=30)
    queue.put(EVENT, "0")
    await asyncio.sleep(0)  # it is under way
    for key in ("1", "2", "3"):
        queue.put(EVENT, key)
    log.is_open.set()
    await queue.close()
    assert log.sent == ["0", "2", "3"]


async def test_an_event_that_no_log_takes_holds_up_no_other() -> None:
    """It would be tried for ever."""
    log = Log()
    queue = EventQueue(log, end_s=30)
    for key in ("too large", "2"):
        queue.put(EVENT, key)
    await queue.close()
    assert log.sent == ["2"]


async def test_what_the_log_has_is_known_and_nobody_waits_for_a_redis_that_is_away() -> None:
    """A step of the work asks, which must not wait for a time-out again and again."""
    log = Log()
    queue = EventQueue(log)
    queue.put(EVENT, "1")
    while not log.sent:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    assert [await queue.knows(EVENT.project_id, key) for key in ("1", "2")] == [True, False]
    log.failing = 10_000
    assert not await queue.knows(EVENT.project_id, "1")
    queue.put(EVENT, "2")
    while log.failing > 9_990:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    asked = log.asked
    assert not await queue.knows(EVENT.project_id, "1")
    assert log.asked == asked
    log.failing = 0
    while len(log.sent) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    assert await queue.knows(EVENT.project_id, "2")
    await queue.close()
