"""How long a further request would wait for a model."""

import pytest

from gather_brain.embeddings.backlog import SPEED_SHARE, Backlog


def test_each_holds_up_a_further_one_by_its_own_size_at_most() -> None:
    """A short request waits for a turn of each, a long one for all that is left of them."""
    backlog = Backlog(lanes=2)
    with backlog.work(100) as first, backlog.work(1000):
        assert backlog.wait_s(500) == 0
        backlog.served(first, 50, 5.0)
        assert backlog.wait_s(10) == pytest.approx(20 * 0.1 / 2)
        assert backlog.wait_s(5000) == pytest.approx(1050 * 0.1 / 2)
        assert len(backlog) == 2
    assert (backlog.wait_s(5000), len(backlog)) == (0, 0)


def test_the_speed_follows_the_turns_slowly() -> None:
    """One slow turn refuses nobody, a slow machine does."""
    backlog = Backlog(lanes=1)
    with backlog.work(100) as work:
        backlog.served(work, 1, 1.0)
        backlog.served(work, 1, 11.0)
        assert backlog.wait_s(1) == pytest.approx(1 + SPEED_SHARE * 10)
        for _ in range(90):
            backlog.served(work, 1, 11.0)
        assert backlog.wait_s(1) == pytest.approx(11, rel=0.01)
