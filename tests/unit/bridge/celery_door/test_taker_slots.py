"""How many runs may begin now."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gather_bridge.celery_door import taker as taker_module
from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.taker import FRESH_S, Taker
from gather_bridge.celery_door.task_decisions import Start
from gather_bridge.celery_door.task_message import TaskMessage
from gather_bridge.celery_door.task_queue import Waiting
from gather_bridge.errors import NameTaken
from gather_contracts import names


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


class KeptRequests:
    """The requests of a queue, by task."""

    def __init__(self, **kept: dict[str, Any]) -> None:
        self.kept = kept

    async def keep_request(self, task_id: str, request: dict[str, Any]) -> None:
        """Keep one."""
        self.kept[task_id] = request

    async def forget_request(self, task_id: str) -> None:
        """Forget one."""
        self.kept.pop(task_id, None)


class TakenName:
    """The calls where a run of that name is another task's."""

    async def create(self, _: Any) -> None:
        """Refuse."""
        raise NameTaken("exists")


async def test_a_task_named_as_another_s_run_leaves_that_run_s_callbacks_alone() -> None:
    """An id that cannot be a name has a run of a derived one, which may be a task's id too."""
    derived = names.task_run_name("Film 7")
    callbacks = {"id": "Film 7", "callbacks": [{"task": "next"}]}
    requests = KeptRequests(**{"Film 7": callbacks})
    failed: list[str] = []

    async def fail(task_id: str, *_: Any) -> None:
        failed.append(task_id)

    unused = cast("Any", None)
    taker = Taker(
        unused, me="", queue=cast("Any", requests), runs=cast("Any", TakenName()), watched=unused,
        results=cast("Any", SimpleNamespace(failed=fail)), metrics=CeleryMetrics("task"),
        send_event=lambda *_, **__: None, come_again=unused,
    )  # fmt: skip
    message = TaskMessage(derived, "task", [], {}, {"id": derived})
    waiting = Waiting("cpu_intensive", "cpu_intensive", b"{}")
    await taker._start(waiting, message, Start({"metadata": {"name": derived}}, "p"))
    assert (requests.kept, failed) == ({"Film 7": callbacks}, [derived])
