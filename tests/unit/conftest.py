"""What the unit tests of all rooms share."""

import pytest

from dev.hand_clock import HandClock


@pytest.fixture
def clock() -> HandClock:
    """A clock that is set by hand."""
    return HandClock()
