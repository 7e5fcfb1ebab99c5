"""Sees to it that each ended run's callback is sent: from the watch to Redis, and what became of it back.

The run says what became of its callback, in an annotation. Until then it is put into Redis again and again,
which changes nothing while Redis has it. So an end that no door saw is found by the next door's watch.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import OrderedDict
from typing import Final, Protocol

from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_bridge.http_door.task_answers import callback_text
from gather_bridge.task_runs.task_states import Task, as_deleted
from gather_bridge.webhooks.task_callbacks import Callback, CallbackState
from gather_clients.event_log import EventLogUnavailable
from gather_clients.kube_api.cluster_errors import ClusterError, Conflict, Missing
from gather_contracts import names

logger = logging.getLogger(__name__)

LOOK_S: Final = 3.0
"""Between two looks at what became of callbacks that wait."""
LOOKED_AT: Final = 200
"""So many each time, in turn: receivers that are dead for a day must not cost more than the others."""


class CallbackStore(Protocol):
    """Where callbacks wait for their sender."""

    async def put(self, callback: Callback) -> CallbackState:
        """Have it sent unless it is known; raises EventLogUnavailable."""


class RunMarks(Protocol):
    """What the door may write on a run."""

    async def mark(self, name: str, uid: str, *, annotations: dict[str, str]) -> object:
        """Set annotations; raises ClusterError."""


class CallbackFeed:
    """The callbacks that are not known to have been delivered or given up."""

    def __init__(self, store: CallbackStore, runs: RunMarks, metrics: DoorMetrics) -> None:
        self._store = store
        self._runs = runs
        self._metrics = metrics
        self._pending: OrderedDict[str, Task] = OrderedDict()
        self._fresh: dict[str, Task] = {}
        self._news = asyncio.Event()

    def note(self, task: Task) -> None:
        """Take in a run that is new or has changed."""
        if task.state.is_final and _is_due(task) and task.run_uid not in self._pending:
            self._add(task)

    def note_gone(self, task: Task) -> None:
        """Take in a run that was deleted; before its end that is its cancellation."""
        if _is_due(task) and task.run_uid not in self._pending:
            self._add(as_deleted(task))

    async def run(self) -> None:
        """Bring callbacks on their way until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            except TimeoutError:
                due = list(itertools.islice(self._pending.values(), LOOKED_AT))
                for task in due:
                    self._pending.move_to_end(task.run_uid)
            else:
                due = list(self._fresh.values())
            self._news.clear()
            self._fresh.clear()
            await self._put(due)

    def _add(self, task: Task) -> None:
        self._pending[task.run_uid] = self._fresh[task.run_uid] = task
        self._metrics.callbacks_waiting.set(len(self._pending))
        self._news.set()

    async def _put(self, due: list[Task]) -> None:
        for task in due:
            try:
                state = await self._store.put(_callback_of(task))
                if state is not CallbackState.WAITING:
                    await self._conclude(task, state)
            except EventLogUnavailable as error:
                logger.info("callbacks wait for Redis", extra={"error": str(error)[:300]})
                return
            except ClusterError as error:
                logger.info("a callback's end is noted later", extra={"error": str(error)[:300]})

    async def _conclude(self, task: Task, state: CallbackState) -> None:
        said = {names.ANNOTATION_CALLBACK: state.value}
        with contextlib.suppress(Missing, Conflict):  # deleted, or made again: nobody asks any more
            await self._runs.mark(task.run, task.run_uid, annotations=said)
        self._pending.pop(task.run_uid, None)
        self._metrics.callbacks.labels(result=state.value).inc()
        self._metrics.callbacks_waiting.set(len(self._pending))
        if state is CallbackState.GIVEN_UP:
            logger.warning("a callback was given up", extra={"run": task.run, "run_uid": task.run_uid})


def _is_due(task: Task) -> bool:
    return (
        names.ANNOTATION_CALLBACK_URL in task.annotations
        and names.ANNOTATION_CALLBACK not in task.annotations
    )


def _callback_of(task: Task) -> Callback:
    url = task.annotations[names.ANNOTATION_CALLBACK_URL]
    return Callback(task.run_uid, task.project_id.lower(), url, callback_text(task))
