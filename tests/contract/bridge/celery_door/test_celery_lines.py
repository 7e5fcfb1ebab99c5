"""What the door's log, metrics, events and answers to remote control say of its tasks."""

import logging
from typing import Final

import pytest

from gather_contracts import names
from tests.contract.bridge.celery_door.conftest import Door
from tests.support.doors.celery_client import DATA, PROJECT, Client
from tests.support.doors.played_statuses import DONE

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
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
