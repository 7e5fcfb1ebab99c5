"""Places for calls: those who do not answer take none from those who do."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gather_bridge.webhooks import shares
from gather_bridge.webhooks.shares import LIMITS, Lane, Pacer, Shares
from gather_clients.background_tasks import end_tasks


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call loses its place to the time that a busy machine takes over a test."""
    monkeypatch.setattr(shares, "PATIENCE_S", 3600)


async def begun(given: Shares, stack: AsyncExitStack, project: str, receiver: str) -> "asyncio.Task[None]":
    """Ask for a place and let everybody have their turn."""
    task = asyncio.create_task(stack.enter_async_context(given.place(project, receiver)))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def closed(stack: AsyncExitStack, *tasks: "asyncio.Task[None]") -> None:
    await end_tasks(tasks)
    await stack.aclose()


def known(receivers: list[str], *, is_prompt: bool) -> Shares:
    given = Shares()
    for receiver in receivers:
        given.note(receiver, is_prompt=is_prompt)
    return given


@pytest.mark.parametrize("is_prompt", [None, False], ids=["never tried", "failing"])
async def test_a_healthy_receiver_waits_for_no_others(*, is_prompt: bool | None) -> None:
    """However many others hang."""
    dead = [f"https://dead-{number}.example/" for number in range(200)]
    given = known([] if is_prompt is None else dead, is_prompt=bool(is_prompt))
    given.note("https://well.example/", is_prompt=True)
    stack = AsyncExitStack()
    hanging = [await begun(given, stack, url, url) for url in dead]
    assert not all(task.done() for task in hanging)
    assert (await begun(given, stack, "p", "https://well.example/")).done()
    await closed(stack, *hanging)


async def test_who_was_never_tried_waits_for_one_place_and_not_for_all_before_it() -> None:
    """Places go to the oldest and to the newest in turn."""
    given, stack, first = Shares(), AsyncExitStack(), AsyncExitStack()
    places = LIMITS[Lane.UNTRIED].places
    held = [await begun(given, first, f"p{n}", f"https://dead-{n}.example/") for n in range(places)]
    more = [await begun(given, stack, f"p{n}", f"https://dead-{n}.example/") for n in range(places, 500)]
    newest = await begun(given, stack, "new", "https://new.example/")
    assert all(task.done() for task in held)
    assert not newest.done()
    await first.aclose()
    await asyncio.sleep(0)
    assert newest.done()
    await closed(stack, *more)


async def test_one_project_leaves_places_to_others() -> None:
    """Fifty runs of one project have its share and no more."""
    urls = [f"https://app-{n}.example/" for n in range(100)]
    given, stack = known(urls, is_prompt=True), AsyncExitStack()
    many = [await begun(given, stack, "large", url) for url in urls[:99]]
    assert sum(task.done() for task in many) == LIMITS[Lane.PROMPT].project
    assert (await begun(given, stack, "small", urls[99])).done()
    await closed(stack, *many)


async def test_a_call_that_is_not_answered_soon_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays open, which has a limit of its own."""
    monkeypatch.setattr(shares, "PATIENCE_S", 0.01)
    urls = [f"https://app-{n}.example/" for n in range(300)]
    given, stack = known(urls, is_prompt=True), AsyncExitStack()
    calls = [await begun(given, stack, url, url) for url in urls]
    async with asyncio.timeout(30):
        while sum(task.done() for task in calls) < LIMITS[Lane.PROMPT].open:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert sum(task.done() for task in calls) == LIMITS[Lane.PROMPT].open
    await closed(stack, *calls)


async def test_who_waits_for_a_receiver_changes_lanes_with_it() -> None:
    """A receiver that came back is not held up by those that did not."""
    dead = [f"https://dead-{n}.example/" for n in range(100)]
    given, stack = known([*dead, "https://back.example/"], is_prompt=False), AsyncExitStack()
    hanging = [await begun(given, stack, url, url) for url in dead]
    call = await begun(given, stack, "p", "https://back.example/")
    assert not call.done()
    given.note("https://back.example/", is_prompt=True)
    await asyncio.sleep(0)
    assert call.done()
    await closed(stack, *hanging)


async def test_what_was_given_up_waiting_takes_no_place() -> None:
    """After everybody has gone, all places are free again."""
    urls = [f"https://dead-{n}.example/" for n in range(100)]
    given, stack = Shares(), AsyncExitStack()
    calls = [await begun(given, stack, url, url) for url in urls]
    await closed(stack, *calls)
    again, places = AsyncExitStack(), LIMITS[Lane.UNTRIED].places
    calls = [await begun(given, again, url, url) for url in urls[:places]]
    assert all(task.done() for task in calls)
    await closed(again, *calls)


async def test_the_newest_of_those_that_wait_for_a_turn_goes_first() -> None:
    """A thousand dead ones before it take none of its time."""
    pacer, passed = Pacer(0.001), []

    async def one(number: int) -> None:
        await pacer.turn()
        passed.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(20)]
    await asyncio.sleep(0)
    tasks[5].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert passed == [0, *(number for number in range(19, 0, -1) if number != 5)]
