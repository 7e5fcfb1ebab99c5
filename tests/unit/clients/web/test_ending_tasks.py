"""Tasks end, also those to which a cancellation was lost."""

import asyncio

import pytest

from gather_clients.web import ending_tasks
from gather_clients.web.ending_tasks import end_tasks


async def _losing(started: asyncio.Event) -> None:
    """Lose the first cancellation, as `asyncio.wait_for` of Python 3.11 may."""
    started.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def _raising(started: asyncio.Event) -> None:
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError("at the end")


async def test_a_task_ends_though_a_cancellation_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cancelled again; what another raises at its end holds nobody up."""
    monkeypatch.setattr(ending_tasks, "AGAIN_S", 0.01)
    started = [asyncio.Event(), asyncio.Event()]
    losing = asyncio.create_task(_losing(started[0]))
    raising = asyncio.create_task(_raising(started[1]))
    for event in started:
        await event.wait()
    async with asyncio.timeout(10):
        await end_tasks([losing, raising])
    assert losing.cancelled()
    assert isinstance(raising.exception(), ValueError)


async def test_tasks_that_have_ended_are_waited_for_no_more() -> None:
    """None at all, too."""
    await end_tasks([])
