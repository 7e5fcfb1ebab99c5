"""What the door's log, metrics, events and answers to remote control say of its tasks."""

import asyncio
import logging
import threading
from typing import Any, Final

import pytest

from gather_bridge.celery_door.celery_door import CeleryDoor
from gather_contracts import names
from tests.contract.bridge.celery_door.conftest import Door
from tests.support.doors.celery_client import DATA, PROJECT, Client
from tests.support.doors.played_statuses import DONE

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
ANSWER_S: Final = 15.0
"""At most; an answer that comes ends the wait."""
FIELDS: Final = ("task_id", "task_name", "project_id", "duration_ms", "retry_count")


async def test_each_line_about_a_task_has_the_required_fields(
    client: Client, new_door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """Of one that succeeds, is refused, expires, and comes again with its result and without."""
    caplog.set_level(logging.INFO, logger="gather_bridge.celery_door")
    expired = client.send(expires=0.01)
    async with new_door():
        await client.state(expired, "REVOKED")
        await client.state(client.send({**DATA, "max_iterations": 0}), "FAILURE")
        done = client.send()
        client.send(task_id=done.id)
        await client.play(done, DONE)
        await client.state(done, "SUCCESS")
        client.send(task_id=done.id)
        await client.until(lambda: client.waiting() == 0)
    found: dict[str, list[logging.LogRecord]] = {}
    for record in caplog.records:
        if hasattr(record, "task_id"):
            found.setdefault(record.message, []).append(record)
            shown = {name: getattr(record, name, None) for name in FIELDS}
            assert None not in shown.values(), record.message
            assert (shown["project_id"], shown["task_name"]) == (PROJECT, names.GATHER_TASK)
    assert len(found["task ended before its start"]) == 2
    assert {"task taken", "task ended", "a task that has its result came again"} <= set(found)


async def test_the_door_answers_celery_inspect(client: Client, door: CeleryDoor) -> None:
    """Through the application's own remote control, as Flower asks."""
    await client.until(door.remote.is_listening.is_set)
    result = client.send()
    await client.state(result, "STARTED")
    inspect = client.app.control.inspect([door.hostname], timeout=ANSWER_S)

    async def ask(command: str, *given: Any) -> Any:
        return (await asyncio.to_thread(getattr(inspect, command), *given))[door.hostname]

    assert await ask("ping") == {"ok": "pong"}
    assert await ask("registered") == [names.GATHER_TASK]
    assert [queue["name"] for queue in await ask("active_queues")] == [client.queue]
    (active,) = await ask("active")
    assert (active["id"], active["kwargs"]) == (result.id, {"project_id": PROJECT})
    assert await ask("query_task", [result.id, "another"]) == {result.id: ["active", active]}
    stats = await ask("stats")
    assert (stats["total"], stats["pool"]["max-concurrency"]) == ({names.GATHER_TASK: 1}, 10)
    assert await ask("reserved") == await ask("scheduled") == []
    assert result.id not in await ask("revoked")  # Celery keeps it for the process, other doors' included


async def test_the_events_of_a_worker_and_its_tasks_arrive(client: Client, new_door: Door) -> None:
    """As Flower receives them and makes its picture of them: no task without a name, worker or state."""
    ready, seen = threading.Event(), client.app.events.State()
    ends = ["SUCCESS", "FAILURE", "REVOKED"]

    def listen() -> None:
        with client.app.connection() as connection:
            receiver = client.app.events.Receiver(connection, handlers={"*": seen.event})
            receiver.on_consume_ready = lambda *_, **__: ready.set()
            for _ in receiver.consume(limit=None, timeout=ANSWER_S):
                if [seen.tasks[each].state for each in sent if each in seen.tasks] == ends:
                    return

    sent: list[str] = []
    listening = asyncio.create_task(asyncio.to_thread(listen))
    await client.until(ready.is_set)
    async with new_door() as door:
        await client.until(door.remote.is_listening.is_set)
        done = client.send()
        sent += [done.id, client.send({**DATA, "max_iterations": 0}).id, client.send(expires=0.001).id]
        await client.play(done, DONE)
        await listening
        worker = seen.workers[door.hostname]
        assert worker.alive
        assert (worker.sw_ident, worker.active) != (None, None)
    for task in (seen.tasks[each] for each in sent):
        assert (task.name, task.worker.hostname) == (names.GATHER_TASK, door.hostname)
        assert PROJECT in str(task.args)
