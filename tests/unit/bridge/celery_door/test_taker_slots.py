"""How many runs may begin now."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gather_bridge.celery_door import taker as taker_module
from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.taker import FRESH_S, Taker


def test_a_run_that_the_watch_never_brings_takes_a_slot_for_a_while_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was written by another door, or deleted, before this one looked."""
    now_s = [1000.0]
    monkeypatch.setattr(taker_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    unused = cast("Any", None)
    taker = Taker(
        cast("Any", SimpleNamespace(runs_max=2)),
        me="",
        queue=unused,
        runs=unused,
        watched=cast("Any", SimpleNamespace(tasks={})),
        results=unused,
        metrics=CeleryMetrics("task"),
        send_event=unused,
        come_again=unused,
    )
    taker._fresh["a-run"] = now_s[0]
    assert taker.slots() == 1
    now_s[0] += FRESH_S
    assert taker.slots() == 2
