"""Which pasts lead to a present, as a table and against every history of a log that goes back."""

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


@given(st.lists(st.tuples(st.sampled_from(["append", "snapshot", "restart", "restore"])), max_size=60))
def test_a_reader_is_never_said_to_go_on_where_the_log_does_not_begin_with_what_it_has(
    steps: list[tuple[str]],
) -> None:
    """Over all orders of appends, restarts that lose nothing, and restores of any snapshot."""
    log: list[tuple[str, int]] = []
    epoch, blocks, is_new = "", 0, True
    kept: list[tuple[list[tuple[str, int]], str]] = []
    readers: list[tuple[str, list[tuple[str, int]]]] = []
    for number, (step,) in enumerate(steps):
        if step == "append":
            if is_new or not log:
                blocks += 1
                epoch = (epoch * bool(log) + f"{blocks:08x}{len(log) + 1:08x}")[-EPOCH_MAX_DIGITS:]
                is_new = False
            log = [*log, (epoch, number)]
            readers.append((epoch, log))
        elif step == "snapshot":
            kept.append((log, epoch))
        elif step == "restart":
            is_new = True
        elif kept:
            log, epoch = kept[number % len(kept)]
            is_new = True
    for read_epoch, read in readers:
        if log and leads_to(read_epoch, len(read), epoch) and len(read) <= len(log):
            assert log[: len(read)] == read
