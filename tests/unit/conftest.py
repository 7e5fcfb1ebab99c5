"""What the unit tests of all rooms share."""

import pytest

from tests.support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """A clock that is set by hand."""
    return FakeClock()
