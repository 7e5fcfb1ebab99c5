"""Pages read ahead, and few requests at a time."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from gather_worker.sync.streams import Requests, reading_ahead


async def test_pages_become_elements_and_the_next_page_is_fetched_meanwhile() -> None:
    """One page ahead, not more; empty pages end nothing."""
    fetched: list[int] = []

    async def pages() -> AsyncGenerator[Sequence[int], None]:
        for page in ([1, 2], [], [3], [4]):
            fetched.append(len(page))
            yield page

    seen = []
    async with reading_ahead(pages()) as elements:
        async for each in elements:
            seen.append(each)
            if each == 1:
                await asyncio.sleep(0)
                assert fetched == [2, 0]
    assert seen == [1, 2, 3, 4]


async def test_two_streams_fetch_their_first_pages_at_the_same_time() -> None:
    """Though they are read one after the other: neither store waits for the other's answer."""
    begun = [asyncio.Event(), asyncio.Event()]

    async def pages(own: int) -> AsyncGenerator[Sequence[int], None]:
        begun[own].set()
        await begun[1 - own].wait()
        yield [own]

    async with asyncio.timeout(30), reading_ahead(pages(0)) as first, reading_ahead(pages(1)) as second:
        assert [await anext(first), await anext(second)] == [0, 1]


async def test_leaving_early_cancels_the_page_under_way() -> None:
    """Nothing goes on in the background."""
    ended = asyncio.Event()

    async def pages() -> AsyncGenerator[Sequence[int], None]:
        yield [1, 2]
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with reading_ahead(pages()) as elements:
        assert await anext(elements) == 1
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_no_more_requests_than_allowed_are_under_way() -> None:
    """A further one waits for room; leaving waits for all."""
    under_way, most, done = 0, 0, 0

    async def work() -> None:
        nonlocal under_way, most, done
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done += 1

    async with Requests(2) as requests:
        for _ in range(7):
            await requests.begin(work())
    assert (most, done) == (2, 7)


async def test_an_error_of_a_request_ends_the_others() -> None:
    """It comes out where the next one is begun, or at the end."""
    cancelled = asyncio.Event()

    async def fail() -> None:
        raise ValueError("refused")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def begin_all() -> None:
        async with Requests(2) as requests:
            for work in (wait(), fail(), wait()):
                await requests.begin(work)

    with pytest.raises(ValueError, match="refused"):
        await begin_all()
    assert cancelled.is_set()
