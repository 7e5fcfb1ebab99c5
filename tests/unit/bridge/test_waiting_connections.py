"""Connections without a request: the one that has waited longest makes room."""

import asyncio

import pytest

from gather_bridge.metrics import Metrics
from gather_bridge.waiting_connections import WaitingConnections

NEVER_S = 3600.0


class Connections:
    """Connections by name, and those that were dropped."""

    def __init__(self, timeout_s: float = NEVER_S, waiting_max: int = 4) -> None:
        self.waiting = WaitingConnections(Metrics(), waiting_max, timeout_s)
        self.dropped: list[str] = []

    def come(self, name: str, address: str = "192.0.2.1") -> None:
        self.waiting.enter(name, address, lambda: self.dropped.append(name))


async def test_the_oldest_of_the_address_with_most_makes_room() -> None:
    """A stranger with many connections costs nobody else's."""
    connections = Connections()
    connections.come("first", "192.0.2.9")
    for name in ("a", "b", "c", "d", "e"):
        connections.come(name)
    connections.come("last", "192.0.2.8")
    assert connections.dropped == ["a", "b", "c"]


async def test_who_has_sent_a_request_waits_no_longer() -> None:
    """It is dropped neither for a new one nor for its time; a second leaving is nothing."""
    connections = Connections(timeout_s=0.001)
    connections.come("quick")
    for _ in range(2):
        connections.waiting.leave("quick", "192.0.2.1")
    for name in ("a", "b", "c", "d"):
        connections.come(name)
    async with asyncio.timeout(30):
        while len(connections.dropped) < 4:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
    assert sorted(connections.dropped) == ["a", "b", "c", "d"]


async def test_waiting_again_begins_a_new_time() -> None:
    """A connection that is kept is the youngest after each answer."""
    connections = Connections(waiting_max=2)
    connections.come("kept")
    connections.come("idle")
    connections.come("kept")
    connections.come("new")
    assert connections.dropped == ["idle"]


@pytest.mark.parametrize("count", [pytest.param(500, id="500")])
async def test_all_addresses_are_forgotten(count: int) -> None:
    """Nothing stays of those that came and went."""
    connections = Connections(waiting_max=10)
    for number in range(count):
        connections.come(str(number), f"2001:db8::{number:x}")
    for number in range(count):
        connections.waiting.leave(str(number), f"2001:db8::{number:x}")
    assert len(connections.dropped) == count - 10
    assert not connections.waiting._addresses
    assert not connections.waiting._timers
