"""Celery's events on their way out."""

import threading

import pytest

from gather_bridge.celery_door import celery_events
from gather_bridge.celery_door.celery_events import CeleryEvents


def test_of_events_that_cannot_be_sent_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who puts them never waits, and what is lost is counted."""
    monkeypatch.setattr(celery_events, "EVENTS_MAX", 3)
    sent: list[object] = []
    dropped: list[None] = []
    is_sending, goes_on = threading.Event(), threading.Event()

    def send(_: str, *, uuid: int) -> None:
        is_sending.set()
        goes_on.wait(30)
        sent.append(uuid)

    events = CeleryEvents(send, lambda: dropped.append(None))
    events.start()
    events.put("task-started", {"uuid": 0})
    assert is_sending.wait(30)
    for number in range(1, 10):
        events.put("task-started", {"uuid": number})
    assert len(dropped) == 6
    goes_on.set()
    events.close()
    assert sent == [0, 7, 8, 9]
