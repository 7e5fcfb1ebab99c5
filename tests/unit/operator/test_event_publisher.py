"""The operator's own events: which are due, sent once, and never holding anything up."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gather_clients.event_log import EventLogUnavailable
from gather_contracts.events import encode_event
from gather_contracts.snapshots.run_outcome import summary
from gather_operator.decisions import run_events
from gather_operator.decisions.run_events import may_give_up
from gather_operator.event_publisher import RETRY_S, EventPublisher

ENDED = "2026-05-01T11:59:00.000Z"


class Log:
    """An event log in memory that can be unavailable; its keys outlive the publisher."""

    def __init__(self) -> None:
        self.events: dict[str, Any] = {}
        self.calls = 0
        self.is_unavailable = False

    async def append(self, event: Any, idempotency_key: str | None = None) -> int | None:
        self.calls += 1
        if self.is_unavailable:
            raise EventLogUnavailable("refused")
        if idempotency_key in self.events:
            return None
        self.events[str(idempotency_key)] = event
        return len(self.events)


@pytest.fixture
def log() -> Log:
    return Log()


def publisher_of(log: Log, registered: list[str] | None = None, clock: Any = lambda: 0.0) -> EventPublisher:
    async def register(run: Any) -> None:
        if log.is_unavailable:
            raise EventLogUnavailable("refused")
        (registered if registered is not None else []).append(run.spec.webhook_url)

    return EventPublisher(log, SimpleNamespace(register=register), clock)  # type: ignore[arg-type]


def due(run: Any, now: Any) -> list[Any]:
    """The events that are due, of any type."""
    return list(run_events.due(run, now))


def ended(build: Any, phase: str, **fields: Any) -> Any:
    departments = build.departments("story", "world", phase="Succeeded", iterations=3, itemsCreated=18)
    status = {
        "phase": phase,
        "completionTime": ENDED,
        "itemsCreated": 18,
        "iterations": 3,
        "departments": departments,
    }
    return build.run(status={**status, **fields.pop("status", {})}, **fields)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("Pending", ["automation_started"]),
        ("Running", ["automation_started"]),
        ("Cancelling", ["automation_started"]),
        ("Succeeded", ["automation_complete"]),
        ("Failed", ["automation_error", "automation_failed"]),
        ("Cancelled", ["automation_cancelled"]),
    ],
)
def test_start_and_end_are_published_by_the_phase(build: Any, phase: str, expected: list[str]) -> None:
    """From the written status and nothing else."""
    assert [a.event.type for a in due(ended(build, phase), build.now)] == expected


def test_a_failed_department_is_published_before_the_run_s_end(build: Any) -> None:
    """Each with its own key."""
    departments = build.departments("story", "world", phase="Failed", reason="OOMKilled", attempt=4)
    run = ended(build, "Failed", status={"departments": departments})
    events = due(run, build.now)
    assert [e.event.type for e in events] == ["department_failed", "automation_error", "automation_failed"]
    first, second, third = events
    assert len({first.key, second.key, third.key}) == 3
    assert (first.event.department, first.event.reason, first.event.attempt) == ("story", "OOMKilled", 4)


def test_the_start_says_what_is_about_to_happen(build: Any) -> None:
    """From the document if the status does not name the departments yet, with the same key."""
    fresh = build.run(name="task-7", spec={"maxIterations": 60})
    assert due(fresh, build.now) == []
    document = build.document("story", "world", "music")
    (early,) = run_events.due(fresh, build.now, document)
    assert early.event.model_dump(exclude={"at", "run_uid", "id", "offset", "epoch"}) == {
        "type": "automation_started", "project_id": build.project, "run": "task-7", "task_id": "task-7",
        "departments_count": 3, "max_iterations": 60,
    }  # fmt: skip
    (written,) = due(build.running("story", "world", "music", spec={"maxIterations": 60}), build.now)
    assert written.key == early.key
    assert written.event.departments_count == 3


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        pytest.param(["DeadlineNear"], ("automation_timeout", "DeadlineNear"), id="the worker saw its end"),
        pytest.param(
            ["DeadlineExceeded"], ("automation_timeout", "DeadlineExceeded"), id="Kubernetes ended it"
        ),
        pytest.param(
            ["DeadlineExceeded", "DeadlineNear"], ("automation_timeout", "DeadlineExceeded"), id="both of two"
        ),
        pytest.param(["DeadlineNear", "OOMKilled"], ("automation_error", "DeadlineNear"), id="one of two"),
        pytest.param(["ModelUnavailable"], ("automation_error", "ModelUnavailable"), id="anything else"),
    ],
)
def test_a_run_that_failed_says_whether_time_was_why(
    build: Any, reasons: list[str], expected: tuple[str, str]
) -> None:
    """Before its last event, and with what it has made."""
    departments = build.departments("film", *(f"d{i}" for i in range(len(reasons))), **build.succeeded)
    for department, reason in zip(departments[1:], reasons, strict=True):
        department.update({"phase": "Failed", "reason": reason})
    message = {
        "type": "Succeeded", "status": "False", "reason": "DepartmentsFailed",
        "message": "Failed departments: d0.", "lastTransitionTime": ENDED,
    }  # fmt: skip
    run = ended(build, "Failed", status={"departments": departments, "conditions": [message]})
    *_, fault, last = (e.event for e in due(run, build.now))
    assert (fault.type, fault.error, last.type) == (*expected, "automation_failed")
    assert (fault.failed_at_department, fault.completed_departments) == ("d0", ["film"])
    assert fault.items_created_so_far == 18
    words = "600 s for each attempt: d0" if fault.type == "automation_timeout" else "Failed departments: d0."
    assert words in fault.message


def test_a_run_without_departments_says_so(build: Any) -> None:
    """It never started, and nothing failed in it."""
    condition = {
        "type": "Succeeded", "status": "False", "reason": "NoDepartments",
        "message": "No department takes part.", "lastTransitionTime": ENDED,
    }  # fmt: skip
    run = ended(build, "Failed", status={"departments": [], "conditions": [condition], "itemsCreated": 0})
    error, failed = (e.event for e in due(run, build.now))
    assert (error.type, failed.type) == ("automation_error", "automation_failed")
    assert (error.error, error.message) == ("NoDepartments", "No department takes part.")
    assert (error.failed_at_department, error.completed_departments, error.items_created_so_far) == (
        "",
        [],
        0,
    )


def test_a_message_fits_into_256_characters(build: Any) -> None:
    """However many departments ran out of time."""
    slugs = [f"a-department-of-a-long-name-{i}" for i in range(32)]
    departments = [{**d, "phase": "Failed", "reason": "DeadlineNear"} for d in build.departments(*slugs)]
    *_, timeout, _ = (
        e.event for e in due(ended(build, "Failed", status={"departments": departments}), build.now)
    )
    assert len(timeout.message) <= 256
    assert len(encode_event(timeout).encode()) < 4096


async def test_the_start_is_sent_once_however_often_operators_restart(build: Any, log: Log) -> None:
    """The log's key tells it from another run's."""
    for _ in range(3):
        await publisher_of(log).publish(build.running("story"), build.now)
    await publisher_of(log).publish(build.run(), build.now, build.document("story"))
    assert [event.type for event in log.events.values()] == ["automation_started"]


def test_the_summary_equals_the_status(build: Any) -> None:
    """One line a department, skipped ones too."""
    run = ended(build, "Succeeded")
    (complete,) = due(run, build.now)
    assert complete.event.summary == summary(run)
    assert [s.department for s in complete.event.summary] == ["story", "world"]
    assert (complete.event.items_created, complete.event.total_iterations) == (18, 3)
    assert complete.event.departments_processed == 1


def test_keys_differ_between_runs(build: Any) -> None:
    """A recreated run publishes its own end."""
    (one,) = due(ended(build, "Succeeded"), build.now)
    (other,) = due(ended(build, "Succeeded", uid="other"), build.now)
    assert one.key != other.key


def test_old_runs_are_not_published_again(build: Any) -> None:
    """The log forgets its keys after a week; a restart must not publish last month's runs again."""
    run = ended(build, "Succeeded")
    assert due(run, build.now + timedelta(hours=23))
    assert due(run, build.now + timedelta(hours=25)) == []


async def test_each_event_is_sent_once(build: Any, log: Log) -> None:
    """The publisher remembers, and after a restart the log's keys do."""
    publisher = publisher_of(log)
    run = ended(build, "Succeeded")
    for _ in range(3):
        assert await publisher.publish(run, build.now) is None
    assert log.calls == 1
    await publisher_of(log).publish(run, build.now)
    assert (log.calls, len(log.events)) == (2, 1)
    assert publisher.has_published_all(run, build.now)


async def test_an_unavailable_log_is_not_asked_for_a_while(build: Any, log: Log) -> None:
    """Not every run in turn shall wait for its timeout."""
    now_s = [0.0]
    publisher = publisher_of(log, clock=lambda: now_s[0])
    log.is_unavailable = True
    run, other = ended(build, "Succeeded"), ended(build, "Cancelled", uid="other")
    assert await publisher.publish(run, build.now) == RETRY_S
    assert await publisher.publish(other, build.now) == RETRY_S
    assert log.calls == 1
    assert not publisher.has_published_all(run, build.now)
    log.is_unavailable = False
    now_s[0] += RETRY_S
    assert await publisher.publish(run, build.now) is None
    assert publisher.has_published_all(run, build.now)


async def test_a_run_without_events_is_not_delayed(build: Any, log: Log) -> None:
    """Nor is the log asked."""
    assert await publisher_of(log).publish(build.run(), build.now) is None
    assert log.calls == 0


@pytest.mark.parametrize(
    ("deleted", "completed", "seconds", "expected"),
    [
        pytest.param(None, ENDED, 86400, False, id="not deleted: never"),
        pytest.param(ENDED, ENDED, 10, False, id="deleted ten seconds ago"),
        pytest.param(ENDED, ENDED, 16, True, id="deleted sixteen seconds ago"),
        pytest.param("2026-05-01T11:58:00Z", ENDED, 10, False, id="its pods took a minute, ended just now"),
        pytest.param("2026-05-01T11:59:00Z", None, 16, True, id="no end written"),
    ],
)
def test_a_deletion_waits_for_the_log_only_so_long(
    build: Any, deleted: str | None, completed: str | None, seconds: int, expected: bool
) -> None:
    """Fifteen seconds from the later of deletion and end."""
    run = build.run(deleted=deleted, status={"phase": "Cancelled", "completionTime": completed})
    ended_at = build.now - timedelta(minutes=1)
    assert may_give_up(run, ended_at + timedelta(seconds=seconds)) is expected


async def test_a_webhook_is_registered_once_before_the_run_starts(build: Any, log: Log) -> None:
    """And again by a new operator: its expiry is renewed."""
    registered: list[str] = []
    publisher = publisher_of(log, registered)
    run = build.run(spec={"webhookUrl": "https://example.org/hook"})
    await publisher.publish(run, build.now)
    await publisher.publish(run, build.now)
    assert registered == ["https://example.org/hook"]
    await publisher_of(log, registered).publish(run, build.now)
    assert len(registered) == 2


async def test_a_webhook_is_registered_again_after_a_while(build: Any, log: Log) -> None:
    """Redis may have lost its data meanwhile, and with them where the events go."""
    registered: list[str] = []
    times_s = [0.0]
    publisher = publisher_of(log, registered, clock=lambda: times_s[-1])
    run = build.run(spec={"webhookUrl": "https://example.org/hook"})
    for now_s in (0.0, 59.0, 60.0):
        times_s.append(now_s)
        await publisher.publish(run, build.now)
    assert len(registered) == 2


async def test_without_a_webhook_nothing_is_registered(build: Any, log: Log) -> None:
    """Nor for a run that has ended."""
    registered: list[str] = []
    await publisher_of(log, registered).publish(build.run(), build.now)
    over = ended(build, "Succeeded", spec={"webhookUrl": "https://example.org/hook"})
    await publisher_of(log, registered).publish(over, build.now)
    assert registered == []
