"""Sockets that MongoDB's client leaves to the garbage collector: those whose connecting is given up."""

import gc
import warnings
from typing import Final

import pytest

LEFT_BY_MONGODB: Final = pytest.mark.filterwarnings(
    "ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning"
)
"""For modules in which clients of a dead MongoDB are ended: the collector may come at any moment."""


def collect_given_up_sockets() -> None:
    """Have them collected now, so that no later test is blamed for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
