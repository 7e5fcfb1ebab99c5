"""Listeners are counted, by address too, and leave one after the other when the process ends."""

import random
from contextlib import ExitStack

import pytest

from gather_bridge.errors import SocketRefused
from gather_bridge.listeners import TICK_S, Listeners
from gather_bridge.metrics import Metrics


class VirtualTime:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def time(self) -> float:
        return self.now_s

    async def sleep(self, delay_s: float) -> None:
        self.now_s += delay_s


def test_one_address_has_no_more_than_its_share() -> None:
    """Others still come; a place is free again when one of its listeners goes."""
    listeners = Listeners(Metrics(), most=10, share=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(listeners.admitted("192.0.2.1", lambda: None))
        with pytest.raises(SocketRefused), listeners.admitted("192.0.2.1", lambda: None):
            pass
        stack.enter_context(listeners.admitted("192.0.2.2", lambda: None))
    with listeners.admitted("192.0.2.1", lambda: None):
        pass


def test_without_a_share_the_whole_is_the_limit() -> None:
    """As behind a proxy, whose address all clients have."""
    listeners = Listeners(Metrics(), most=3)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(listeners.admitted("192.0.2.1", lambda: None))
        with pytest.raises(SocketRefused), listeners.admitted("192.0.2.2", lambda: None):
            pass


async def test_they_leave_evenly_over_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """None before the lead is over; in each second about as many as in any other; those who come late too."""
    clock = VirtualTime()
    monkeypatch.setattr("asyncio.get_running_loop", lambda: clock)
    monkeypatch.setattr("asyncio.sleep", clock.sleep)
    random.seed(1)
    listeners = Listeners(Metrics(), most=2000)
    left_s: list[float] = []
    with ExitStack() as stack:

        def enter() -> None:
            own = ExitStack()

            def leave() -> None:
                left_s.append(clock.now_s)
                own.close()

            own.enter_context(listeners.admitted("192.0.2.1", leave))
            stack.push(own)

        for _ in range(1000):
            enter()
        await listeners.drain(2, 10, lambda: False)
    assert len(left_s) == 1000
    assert min(left_s) >= 2
    assert max(left_s) <= 12 + 2 * TICK_S
    by_second = [sum(second <= at < second + 1 for at in left_s) for second in range(2, 12)]
    assert min(by_second) > 50
    assert max(by_second) < 200
    assert listeners.is_draining


async def test_nobody_waits_for_no_one() -> None:
    """A process without listeners ends at once."""
    await Listeners(Metrics(), most=1).drain(3600, 3600, lambda: False)


async def test_a_second_signal_ends_the_wait() -> None:
    """For a person at a terminal."""
    listeners = Listeners(Metrics(), most=1)
    with listeners.admitted("192.0.2.1", lambda: None):
        await listeners.drain(3600, 3600, lambda: True)
