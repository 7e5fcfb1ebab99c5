"""How often GatherRuns are listed beside the watch."""

import pytest

from gather_operator.resync import list_pause_s


@pytest.mark.parametrize(
    ("took_s", "pause_s"),
    [
        (0.01, 3.0),  # few runs: what the watch has lost is found within 5 s
        (0.25, 5.0),  # a list may take a twentieth of the time
        (2.0, 10.0),  # thousands of runs: as rarely as is set
    ],
)
def test_lists_are_frequent_where_they_are_short(took_s: float, pause_s: float) -> None:
    assert list_pause_s(took_s, interval_s=10.0) == pause_s


def test_the_interval_that_is_set_is_the_longest() -> None:
    assert list_pause_s(0.01, interval_s=0.5) == 0.5
