"""Clients that come back together read each page of the log once."""

import asyncio

import pytest

from gather_bridge.live import pages as module
from gather_bridge.live.pages import PAGE_MAX_BYTES, READ_EVENTS, Pages
from gather_bridge.live.replay import Position
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent

P = "66f1a2b3c4d5e6f708192a3b"
END = 1000


class CountingLog:
    """A log of 1,000 events that counts its reads, and may be unavailable."""

    text = "x" * 1000

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []
        self.is_away = False

    async def position(self, project_id: str) -> tuple[str, int]:  # noqa: ARG002
        return "e1", END

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:
        self.reads.append((after_offset, limit))
        await asyncio.sleep(0)
        if self.is_away:
            raise EventLogUnavailable("away")
        numbers = range(after_offset + 1, min(after_offset + limit, END) + 1)
        return [StoredEvent(n, "e1", project_id, "t", "u", self.text) for n in numbers]


async def replayed(pages: Pages, after: int) -> list[int]:
    """Return the offsets that a client gets that has seen `after`."""
    got: list[int] = []
    while after < END:
        async with pages.page(P, Position("e1", after)) as page:
            assert page is not None
            got += [event.offset for event in page.events]
            after = page.reached.offset
    return got


async def test_a_herd_reads_each_page_once() -> None:
    """500 clients at 50 places: 16 pages, and the ends of pages in which somebody begins."""
    log = CountingLog()
    pages = Pages(log)
    places = [n % 50 * 20 for n in range(500)]
    found = await asyncio.gather(*(replayed(pages, place) for place in places))
    assert found == [list(range(place + 1, END + 1)) for place in places]
    assert len(log.reads) == len({0, *places, *range(0, END, READ_EVENTS)})
    assert max(limit for _, limit in log.reads) == READ_EVENTS


async def test_what_is_kept_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest pages go; a client that needs one reads it again."""
    monkeypatch.setattr(module, "KEPT_MAX_BYTES", 250_000)
    log = CountingLog()
    pages = Pages(log)
    for _ in range(2):
        assert await replayed(pages, 0) == list(range(1, END + 1))
    assert len(log.reads) == 32


async def test_large_events_come_in_small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one read, which is not repeated for the rest of it."""
    monkeypatch.setattr(CountingLog, "text", "x" * 60_000)
    log = CountingLog()
    pages = Pages(log)
    assert await replayed(pages, END - 40) == list(range(END - 39, END + 1))
    async with pages.page(P, Position("e1", END - 40)) as page:
        assert page is not None
        assert page.size_bytes <= PAGE_MAX_BYTES
        assert len(page.events) == 2
    assert len(log.reads) == 1


async def test_so_many_clients_have_a_page_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one has its turn as soon as one of them has sent its own."""
    monkeypatch.setattr(module, "IN_HAND", 2)
    pages = Pages(CountingLog())
    sent = [asyncio.Event() for _ in range(3)]
    begun: list[int] = []

    async def send(number: int) -> None:
        async with pages.page(P, Position("e1", number)):
            begun.append(number)
            await sent[number].wait()

    sending = [asyncio.create_task(send(number)) for number in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == [0, 1]
    sent[1].set()
    await sending[1]
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == [0, 1, 2]
    for each in sent:
        each.set()
    await asyncio.gather(*sending)


async def test_a_gap_is_no_page() -> None:
    """Another epoch is one too."""
    async with Pages(CountingLog()).page(P, Position("e0", 10)) as page:
        assert page is None


async def test_a_log_that_is_away_fails_all_who_wait_and_nobody_after_its_return() -> None:
    """A failure is not kept."""
    log = CountingLog()
    pages, log.is_away = Pages(log), True
    found = await asyncio.gather(*(replayed(pages, 0) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [EventLogUnavailable] * 3
    assert len(log.reads) == 1
    log.is_away = False
    assert len(await replayed(pages, 0)) == END


async def test_a_client_that_goes_ends_no_one_else_s_reading() -> None:
    """The page that both wait for arrives."""
    pages = Pages(CountingLog())
    first = asyncio.create_task(replayed(pages, 0))
    second = asyncio.create_task(replayed(pages, 0))
    await asyncio.sleep(0)
    first.cancel()
    assert len(await second) == END
