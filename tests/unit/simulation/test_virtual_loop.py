"""The clock of the simulation."""

import asyncio

import pytest

from tests.support.simulation.virtual_loop import Hang, run_virtual


def test_time_jumps_to_the_next_timer() -> None:
    """A day takes no time, and timers come in their order."""
    seen: list[tuple[str, float]] = []

    async def wait(name: str, for_s: float) -> None:
        await asyncio.sleep(for_s)
        seen.append((name, asyncio.get_running_loop().time()))

    async def main() -> None:
        await asyncio.gather(wait("day", 86_400), wait("second", 1))

    run_virtual(main())
    assert seen == [("second", 1.0), ("day", 86_400.0)]


def test_a_wait_for_nothing_is_an_error() -> None:
    """Nobody would ever set the event."""

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Hang, match="no timer"):
        run_virtual(main())


def test_a_loop_that_never_waits_is_an_error() -> None:
    """It would go on forever at one moment."""

    async def main() -> None:
        while True:  # noqa: ASYNC110 - it is what is tested
            await asyncio.sleep(0)

    with pytest.raises(Hang, match="round"):
        run_virtual(main())


def test_what_is_left_at_the_end_is_ended() -> None:
    """Nothing of one simulation lives on into the next."""
    ended: list[str] = []

    async def stay() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("stay")

    async def main() -> "asyncio.Task[None]":
        task = asyncio.create_task(stay())
        await asyncio.sleep(1)
        return task

    assert run_virtual(main()).cancelled()
    assert ended == ["stay"]
