"""Waits after failures: twice as long each time, up to a limit."""

import pytest

from gather_clients.backoff import Backoff


def test_waits_double_up_to_the_last() -> None:
    """However many failures there were."""
    backoff = Backoff(0.5, 8.0)
    assert [backoff.wait_s(failures) for failures in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert backoff.wait_s(0) == 0.5
    assert backoff.wait_s(10**9) == 8


@pytest.mark.parametrize(
    ("jitter", "least", "most"),
    [
        pytest.param((0, 1), 0, 8, id="full"),
        pytest.param((0.5, 1), 4, 8, id="half"),
        pytest.param((0.8, 1.2), 6.4, 9.6, id="around"),
    ],
)
def test_jitter_is_a_part_of_the_wait(jitter: tuple[float, float], least: float, most: float) -> None:
    """Drawn between the two numbers."""
    backoff = Backoff(1, 8, jitter)
    assert backoff.wait_s(9, chance=0) == pytest.approx(least)
    assert backoff.wait_s(9, chance=1) == pytest.approx(most)
    drawn = {backoff.wait_s(9) for _ in range(50)}
    assert least <= min(drawn) < max(drawn) <= most
