"""Events of a department: each once, and an unavailable Redis slows nothing down."""

import json

from gather_clients.event_log import EventLogUnavailable
from gather_contracts import names
from gather_contracts.events import Event, encode_event
from gather_contracts.result import StopReason
from gather_contracts.run_document import RunDocument
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.llm.ledger import Ledger
from gather_worker.services.department_events import EventPublisher


class Log:
    """An event log that notes what it is given, or is unavailable."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.calls = 0
        self.sent: list[tuple[str, Event]] = []
        self.writer: tuple[str, int] | None = None
        self.known: set[tuple[str, str]] = set()

    def write_as(self, writer: str, epoch: int) -> None:
        """Note the writer."""
        self.writer = writer, epoch

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Note the event."""
        self.calls += 1
        if self.is_away:
            raise EventLogUnavailable
        self.sent.append((str(idempotency_key), event))
        return 1

    async def has_sent(self, project_id: str, idempotency_key: str) -> bool:
        """Return whether it is the key that was asked for."""
        if self.is_away:
            raise EventLogUnavailable
        return (project_id, idempotency_key) in self.known

    async def close(self) -> None:
        """Nothing is open."""


def publisher(log: Log, document: RunDocument) -> EventPublisher:
    """Return the first department's publisher."""
    return EventPublisher(log, document, document.departments[0], 12)


async def test_a_worker_writes_as_the_epoch_that_it_took(document: RunDocument) -> None:
    """From its first event on, so that a late one of the worker before it is refused."""
    log = Log()
    events = publisher(log, document)
    await events.started(3)
    await events.close()
    checkpoint = names.checkpoint_id(document.run.uid, document.departments[0].slug)
    assert (log.writer, [key for key, _ in log.sent]) == ((checkpoint, 3), [f"{checkpoint}/started/3"])


async def test_a_run_has_ended_once_the_operator_has_said_so(document: RunDocument) -> None:
    """Under the key of the operator's own event; without Redis nobody knows, and the work goes on."""
    log = Log()
    events = publisher(log, document)
    assert not await events.has_run_ended()
    log.known.add((document.spec.project_id, f"{document.run.uid}:ended"))
    assert await events.has_run_ended()
    log.is_away = True
    assert not await events.has_run_ended()


async def test_an_iterations_event_has_the_fields_of_the_contract(document: RunDocument) -> None:
    """Items of the department so far, the allowance as the total, cost and tokens."""
    log = Log()
    ledger = Ledger(cost_usd=0.25, tokens_in=10, tokens_out=5)
    await publisher(log, document).iterated(
        Checkpoint(id="c", iterations=3, items_created=17, scores=[60, 70, 75], ledger=ledger)
    )
    key, event = log.sent[0]
    sent = json.loads(encode_event(event))
    assert key == "uid-1/story/iteration/3"
    assert sent.pop("at")
    assert sent.pop("id") == names.event_id(key)
    assert sent == {
        "type": "iteration_complete", "project_id": "a" * 24, "run": "run", "run_uid": "uid-1",
        "department": "story", "department_name": "Story", "iteration": 3, "total_iterations": 12,
        "quality_score": 75, "items_created": 17, "threshold": 80, "cost_usd": 0.25, "tokens": 15,
    }  # fmt: skip


async def test_each_attempt_is_published_with_its_number(document: RunDocument) -> None:
    """A key of its own, so that the second pod is heard as well."""
    log = Log()
    for attempt in (1, 2):
        await publisher(log, document).started(attempt)
    assert [key for key, _ in log.sent] == ["uid-1/story/started/1", "uid-1/story/started/2"]


async def test_only_used_up_iterations_are_called_that(document: RunDocument) -> None:
    """max_iterations_reached goes before department_complete, and not with other reasons."""
    log = Log()
    for reason in (StopReason.ITERATIONS_USED, StopReason.THRESHOLD_REACHED, StopReason.QUALITY_FLAT):
        await publisher(log, document).finished(Checkpoint(id="c", finished=reason))
    types = [event.type for _, event in log.sent]
    assert types == ["max_iterations_reached", *["department_complete"] * 3]


async def test_an_unavailable_redis_is_not_tried_again_soon(document: RunDocument) -> None:
    """One failed call, not one per event: each may take its whole timeout."""
    log = Log(is_away=True)
    events = publisher(log, document)
    for iteration in range(10):
        await events.deduplicating(iteration)
    assert log.calls == 1
