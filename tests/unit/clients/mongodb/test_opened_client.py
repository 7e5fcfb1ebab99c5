"""A MongoDB that is optional, closed."""

import asyncio
import logging

import pytest

from gather_clients.mongodb import opened_client
from gather_clients.mongodb.opened_client import MongoConnection


async def test_a_client_that_does_not_close_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The driver waits for tasks of its own, which may have lost their cancellation."""
    connection = MongoConnection("mongodb://127.0.0.1:1", 0.1, "test")
    has_ended = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            has_ended.set()

    monkeypatch.setattr(opened_client, "CLOSE_TIMEOUT_S", 0.05)
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(connection.client, "close", never)
        async with asyncio.timeout(5):
            await connection.close()
            await has_ended.wait()
    assert "clients of MongoDB that did not close: 1" in caplog.text
    await connection.close()
