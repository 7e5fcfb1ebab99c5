"""A worker whose run has ended without it: cancelled or deleted while its node was lost."""

import asyncio
import signal
from collections.abc import Callable
from datetime import UTC, datetime

from dev.waiting import wait_for
from gather_clients.event_log import EventLog
from gather_contracts import names
from gather_contracts.events import AutomationCancelled, Event, timestamp
from gather_contracts.result import StopReason
from tests.support.worker_harness import WorkerHarness

Behave = Callable[..., None]


def test_a_worker_that_wakes_up_after_its_run_has_ended_accepts_no_more_notes(
    harness: WorkerHarness, behave: Behave
) -> None:
    """Cancelled or deleted while its node was lost, so that no successor has taken the next epoch."""
    behave(delay_s=0.5)
    zombie = harness.start(0, 9)
    wait_for("an iteration", lambda: harness.checkpoint().get("iterations", 0) > 0, 60)
    zombie.signal(signal.SIGSTOP)
    done = harness.checkpoint()["iterations"]
    run = harness.document.run
    end = AutomationCancelled(
        project_id=harness.project_id, run=run.name, run_uid=run.uid, at=timestamp(datetime.now(UTC)),
        items_created_so_far=0,
    )  # fmt: skip
    asyncio.run(announced(harness.services.redis_url, end, names.run_end(run.uid)))
    zombie.signal(signal.SIGCONT)
    late = zombie.wait()
    assert late.exit_code == 75, late.messages()
    assert late.result is not None
    assert (late.result.reason, late.result.message) == (
        StopReason.FENCED,
        "the run has ended without this worker",
    )
    # What it was just accepting when it was stopped is brought to its end.
    assert late.result.iterations == harness.checkpoint()["iterations"] <= done + 1
    assert harness.checkpoint()["pending"] == []


async def announced(redis_url: str, event: Event, key: str) -> None:
    """Append an event as the operator does."""
    log = EventLog(redis_url)
    await log.append(event, key)
    await log.close()
