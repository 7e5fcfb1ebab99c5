"""Erasing a project: how long one request takes at most, and when it is done."""

from typing import Any

import pytest

from gather_brain.store.cypher import deletion_queries as queries
from gather_brain.store.deletion import ERASING_S, NODES_AT_ONCE, Deletion, Erased
from tests.support.fake_clock import FakeClock


class Kept:
    """A database that counts what it has of one project; every query takes a second."""

    def __init__(self, clock: FakeClock, nodes: int, profiles: int, late: int = 0) -> None:
        self.clock = clock
        self.left = {queries.ERASE_NODES: nodes, queries.ERASE_PROFILES: profiles, queries.ERASE_PROJECT: 1}
        self.late = late

    async def read(self, _: str, query: str, **__: Any) -> list[dict[str, Any]]:
        assert query == queries.ANYTHING_LEFT
        return [{"known": any(self.left.values())}]

    async def write(self, _: str, query: str, *, limit: int, **__: Any) -> list[dict[str, Any]]:
        self.clock.now_s += 1
        if query == queries.ERASE_PROJECT and self.late:
            # Somebody has written meanwhile.
            self.left[queries.ERASE_NODES], self.late = self.late, 0
            return [{"erased": 0}]
        erased = min(limit, self.left[query])
        self.left[query] -= erased
        return [{"erased": erased}]


def deletion(nodes: int, profiles: int = 0, late: int = 0) -> tuple[Deletion, Kept]:
    clock = FakeClock()
    kept = Kept(clock, nodes, profiles, late)
    return Deletion(kept, {"projectId": "p"}, clock), kept  # type: ignore[arg-type]


async def test_everything_goes_and_is_counted() -> None:
    """Nodes, then profiles, then the project."""
    erasing, kept = deletion(NODES_AT_ONCE + 1, profiles=3)
    assert await erasing.erase() == Erased(NODES_AT_ONCE + 1, 3, remaining=False)
    assert not any(kept.left.values())
    assert await erasing.erase() is None


async def test_what_is_written_meanwhile_goes_too() -> None:
    """The project is only erased when nothing of it is left."""
    erasing, kept = deletion(1, late=2)
    assert await erasing.erase() == Erased(3, 0, remaining=False)
    assert not any(kept.left.values())


@pytest.mark.parametrize("requests", [1, 3])
async def test_a_request_ends_in_time_and_says_that_something_remains(requests: int) -> None:
    """The same request again goes on."""
    at_once = int(ERASING_S) * NODES_AT_ONCE
    erasing, kept = deletion(requests * at_once)
    for _ in range(requests):
        started = kept.clock.now_s
        assert await erasing.erase() == Erased(at_once, 0, remaining=True)
        assert kept.clock.now_s - started <= ERASING_S + 1
    assert await erasing.erase() == Erased(0, 0, remaining=False)
