"""Which pasts lead to a present, as a table and against every history of a log that goes back."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_clients.events.epochs import EPOCH_MAX_DIGITS, leads_to

A, B, C = "aaaaaaaa00000001", "bbbbbbbb0000000b", "cccccccc0000000b"


@pytest.mark.parametrize(
    ("epoch", "offset", "later", "expected"),
    [
        pytest.param(A, 12, A, True, id="the same"),
        pytest.param(A, 10, A + B, True, id="left where the later one began"),
        pytest.param(A, 11, A + B, False, id="left after that: the log was cut to ten"),
        pytest.param(A + B, 12, A, False, id="the log is that of before"),
        pytest.param(A + B, 12, A + C, False, id="another branch"),
        pytest.param(A + B, 10, A, True, id="greeted with an epoch that it has not reached"),
        pytest.param(A + B, 10, A + C, True, id="not reached either, in another branch"),
        pytest.param(A, 4, A + B + "dddddddd00000014", True, id="two blocks later"),
        pytest.param(A, 11, A + B + "dddddddd00000014", False, id="cut at the first of two"),
        pytest.param("", 4, A, False, id="no epoch"),
        pytest.param("e1", 4, "e2", False, id="somebody else's"),
        pytest.param("e1", 4, "e1", True, id="somebody else's, the same"),
        pytest.param(A, 4, A + "zzzzzzzzzzzzzzzz", False, id="no number"),
    ],
)
def test_only_what_the_log_still_held_leads_on(epoch: str, offset: int, later: str, expected: bool) -> None:
    """A block says where it began; what had been sent beyond is of a past that is gone."""
    assert leads_to(epoch, offset, later) is expected


class Log:
    """A log that can go back, and what was read of it."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.epoch = ""
        self.is_new = True
        self.blocks = 0
        self.kept: list[tuple[list[int], str]] = []
        self.read: list[tuple[str, list[int]]] = []

    def append(self, number: int) -> None:
        """As the append script does."""
        if self.is_new or not self.events:
            self.blocks += 1
            before = self.epoch if self.events else ""
            self.epoch = f"{before}{self.blocks:08x}{len(self.events) + 1:08x}"[-EPOCH_MAX_DIGITS:]
            self.is_new = False
        self.events = [*self.events, number]
        self.read.append((self.epoch, self.events))

    def keep(self, _: int) -> None:
        """Write a dump."""
        self.kept.append((self.events, self.epoch))

    def restart(self, _: int) -> None:
        """Lose nothing."""
        self.is_new = True

    def restore(self, number: int) -> None:
        """Go back to any dump."""
        if self.kept:
            (self.events, self.epoch), self.is_new = self.kept[number % len(self.kept)], True


@given(st.lists(st.sampled_from([Log.append, Log.append, Log.keep, Log.restart, Log.restore]), max_size=60))
def test_who_goes_on_has_what_the_log_begins_with(steps: list[Callable[[Log, int], None]]) -> None:
    """Over all orders of appends, restarts that lose nothing, and restores of any dump."""
    log = Log()
    for number, step in enumerate(steps):
        step(log, number)
    for epoch, read in log.read:
        if leads_to(epoch, len(read), log.epoch) and len(read) <= len(log.events):
            assert log.events[: len(read)] == read
