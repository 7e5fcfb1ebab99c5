"""What becomes of a task whose run is not its own."""

from types import SimpleNamespace
from typing import Any, cast

from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.taker import Taker
from gather_bridge.celery_door.task_decisions import Start
from gather_bridge.celery_door.task_message import TaskMessage
from gather_bridge.celery_door.task_queue import Waiting
from gather_bridge.errors import NameTaken
from gather_bridge.task_runs.watched_runs import WatchedRuns
from gather_contracts import names


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
    watched = WatchedRuns(unused, "", print, print)
    taker = Taker(
        unused, me="", queue=cast("Any", requests), runs=cast("Any", TakenName()), watched=watched,
        results=cast("Any", SimpleNamespace(failed=fail)), metrics=CeleryMetrics("task"),
        send_event=lambda *_, **__: None, come_again=unused,
    )  # fmt: skip
    message = TaskMessage(derived, "task", [], {}, {"id": derived})
    waiting = Waiting("cpu_intensive", "cpu_intensive", b"{}")
    await taker._start(waiting, message, Start({"metadata": {"name": derived}}, "p"))
    assert watched.active() == 0
    assert (requests.kept, failed) == ({"Film 7": callbacks}, [derived])
