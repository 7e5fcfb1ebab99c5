"""What the tests of the CMS's client share."""

import pytest

from gather_clients.backoff import Backoff
from gather_operator.cms import cms_client


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr(cms_client, "BACKOFF", Backoff(0, 0))
