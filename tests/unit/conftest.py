"""What the unit tests of all rooms share."""

import pytest

from tests.support.fake_clock import HandClock


@pytest.fixture
def clock() -> HandClock:
    """A clock that is set by hand."""
    return HandClock()
