"""Redis as far as Gather uses it: the event log with its channel, kept answers, and Celery's queue.

It may lose all of its data, as a failover to an empty replica does; then another epoch begins.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from gather_clients.event_log import EventLogUnavailable
from gather_contracts import names
from gather_contracts.events import Event
from gather_contracts.resource import GatherRun
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.llm.answer_cache import KeptAnswer
from tests.support.simulation.wire import Unreachable, Wire

T = TypeVar("T")

LIMIT_S: Final = 4.0
EVALUATION_LIMIT_S: Final = 10.0


@dataclass
class Sent:
    """An event in the log."""

    key: str
    event: Event
    epoch: int


@dataclass
class RedisInMemory:
    """The server's side."""

    epoch: int = 0
    """Raised when all data is lost."""
    keys: dict[str, int] = field(default_factory=dict)
    writers: dict[str, int] = field(default_factory=dict)
    """The last epoch of each that has sent an event."""
    events: list[Sent] = field(default_factory=list)
    """All that ever were, over all epochs."""
    answers: dict[str, KeptAnswer] = field(default_factory=dict)
    queued: dict[str, int] = field(default_factory=dict)
    """Evaluations' task ids that are known, with their epoch."""
    evaluations: list[tuple[str, int]] = field(default_factory=list)
    """Every message that was queued: its task id and epoch."""
    subscribers: "list[asyncio.Queue[Event | None]]" = field(default_factory=list)
    seen: Callable[[Sent], None] = lambda _: None

    def append(self, event: Event, key: str, writer: tuple[str, int]) -> int | None:
        """Append an event unless its key is known or a later writer has sent one, and publish it."""
        name, epoch = writer
        if key in self.keys or self.writers.get(name, 0) > epoch:
            return None
        if name:
            self.writers[name] = epoch
        self.keys[key] = len(self.events)
        sent = Sent(key, event, self.epoch)
        self.events.append(sent)
        self.seen(sent)
        for queue in self.subscribers:
            queue.put_nowait(event)
        return len(self.events)

    def put_once(self, task_id: str) -> None:
        """Queue an evaluation unless its task id is known."""
        if task_id not in self.queued:
            self.queued[task_id] = self.epoch
            self.evaluations.append((task_id, self.epoch))

    def drop_connections(self) -> None:
        """End all subscriptions."""
        for queue in self.subscribers:
            queue.put_nowait(None)

    def lose_data(self) -> None:
        """Begin again with nothing."""
        self.epoch += 1
        self.keys.clear()
        self.writers.clear()
        self.answers.clear()
        self.queued.clear()


class SimulatedEventLog:
    """In the place of `EventLog`."""

    def __init__(self, server: RedisInMemory, wire: Wire) -> None:
        self._server, self._wire = server, wire
        self._writer = ("", 0)

    def write_as(self, writer: str, epoch: int) -> None:
        """Be one of the writers that follow one another."""
        self._writer = writer, epoch

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Append and publish an event unless its key was used before; raises EventLogUnavailable."""
        key = idempotency_key or f"keyless {self._wire.calls}"
        return await self._call(f"append {key}", lambda: self._server.append(event, key, self._writer))

    async def has_sent(self, project_id: str, idempotency_key: str) -> bool:  # noqa: ARG002 - keys are unique
        """Return whether an event with this key was appended; raises EventLogUnavailable."""
        return await self._call(f"has sent {idempotency_key}", lambda: idempotency_key in self._server.keys)

    async def tail(self, project_id: str, limit: int = 1000) -> list[Event]:
        """Return the last events of the epoch."""

        def effect() -> list[Event]:
            there = [sent.event for sent in self._server.events if sent.epoch == self._server.epoch]
            return [event for event in there if event.project_id == project_id][-limit:]

        return await self._call("tail", effect)

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[AsyncGenerator[Event, None]]:
        """Yield the events from now on."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        await self._call("subscribe", lambda: self._server.subscribers.append(queue))
        try:
            yield self._messages(queue)
        finally:
            if queue in self._server.subscribers:
                self._server.subscribers.remove(queue)

    async def _messages(self, queue: "asyncio.Queue[Event | None]") -> AsyncGenerator[Event, None]:
        while (event := await queue.get()) is not None:
            await asyncio.sleep(0.002)
            yield event
        raise EventLogUnavailable("the connection is closed")

    async def _call(self, what: str, effect: Callable[[], T]) -> T:
        try:
            return await self._wire.call("redis", what, effect, limit_s=LIMIT_S)
        except Unreachable as error:
            raise EventLogUnavailable(error.kind) from error

    async def close(self) -> None:
        """Nothing is open."""


class SimulatedAnswerCache:
    """In the place of `AnswerCache`."""

    def __init__(self, server: RedisInMemory, wire: Wire) -> None:
        self._server, self._wire = server, wire

    async def get(self, key: str) -> KeptAnswer | None:
        """Return the kept answer, None if there is none or Redis is unavailable."""
        try:
            return await self._wire.call(
                "redis", "get", lambda: self._server.answers.get(key), limit_s=LIMIT_S
            )
        except Unreachable:
            return None

    async def put(self, key: str, answer: KeptAnswer) -> None:
        """Keep an answer."""
        try:
            await self._wire.call(
                "redis", "set", lambda: self._server.answers.update({key: answer}), limit_s=LIMIT_S
            )
        except Unreachable:
            return

    async def close(self) -> None:
        """Nothing is open."""


class NoWebhooks:
    """In the place of `WebhookRegistry`: no run of a simulation has one."""

    async def register(self, run: GatherRun) -> None:
        """Raise: nobody asks for it."""
        raise NotImplementedError(run.metadata.name)


def sender_of(server: RedisInMemory, wire: Wire) -> Any:
    """Return what takes the place of `send_evaluation`."""

    async def send_evaluation(route: Any, checkpoint: Checkpoint, arguments: Any = None) -> bool:
        task_id = names.evaluation_task_id(checkpoint.run_uid, checkpoint.department)
        try:
            await wire.call(
                "redis", f"evaluate {checkpoint.department}", lambda: server.put_once(task_id),
                limit_s=EVALUATION_LIMIT_S,
            )  # fmt: skip
        except Unreachable:
            return False
        return True

    return send_evaluation
