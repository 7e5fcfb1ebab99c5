"""Places for exports: some of all, one of a project, and a refusal that says when to come back."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gather_bridge.errors import SocketRefused
from gather_bridge.exports.export_slots import WAITING_MAX, WAITING_OF_ONE, ExportSlots
from gather_clients.background_tasks import end_tasks


async def test_a_project_s_second_export_is_refused_with_429() -> None:
    slots = ExportSlots(2, wait_s=0)
    async with slots.taken("a"):
        with pytest.raises(SocketRefused) as refused:
            async with slots.taken("a"):
                pass
        assert (refused.value.status, refused.value.retry_after_s) == (429, 5)
        async with slots.taken("b"):
            with pytest.raises(SocketRefused) as busy:
                async with slots.taken("c"):
                    pass
            assert busy.value.status == 503
    async with slots.taken("a"), slots.taken("c"):
        pass


async def test_who_waits_gets_the_place_that_becomes_free() -> None:
    slots = ExportSlots(1, wait_s=30)
    order: list[str] = []

    async def one(name: str) -> None:
        async with slots.taken(name):
            order.append(name)
            await asyncio.sleep(0)

    async with slots.taken("first"):
        waiting = [asyncio.create_task(one(name)) for name in "abc"]
        await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(*waiting)
    assert order == ["a", "b", "c"]


async def test_the_number_of_those_who_wait_is_bounded() -> None:
    slots = ExportSlots(1, wait_s=30)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(slots.taken("a"))
        waiting = [
            asyncio.create_task(stack.enter_async_context(slots.taken(f"{n}"))) for n in range(WAITING_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(SocketRefused):
            async with slots.taken("b"):
                pass
        await end_tasks(waiting)


async def test_one_project_s_waiting_exports_keep_no_other_s_away() -> None:
    """However many it asks for at once."""
    slots = ExportSlots(2, wait_s=30)

    async def one() -> None:
        async with slots.taken("a"):
            pass

    async with slots.taken("a"):
        waiting = [asyncio.create_task(one()) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sum(task.done() for task in waiting) == WAITING_MAX - WAITING_OF_ONE
        async with slots.taken("b"):
            pass
    assert len([one for one in await asyncio.gather(*waiting, return_exceptions=True) if one]) == (
        WAITING_MAX - WAITING_OF_ONE
    )
