"""What a finished department still has to do: evaluation messages, its notes in the brain, its last events.

All of it waits in the checkpoint, can be repeated, and costs no model call. What is refused for good is not
waited for: it is left to the project's next worker, and `left` says what a person must change.
"""

import logging
from typing import Any, Final

from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint, Evaluation
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import (
    BrainKeyRefused,
    BrainUnusable,
    DeadlineNear,
    EvaluationRefused,
    EvaluationUnavailable,
    IndexUnavailable,
)
from gather_worker.metrics import METER
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.evaluation_details import (
    application_arguments,
    minimal_arguments,
    read_details,
)
from gather_worker.services.store import Store
from gather_worker.settings import EvaluationDetail, Settings
from gather_worker.steps.checkpointer import Checkpointer
from gather_worker.steps.following import BrainFollower
from gather_worker.steps.publishing import Publisher

INDEX_RETRY_S: Final = 3.0
"""Between two tries to reach the brain when nothing else is left to do."""

_LOGGER = logging.getLogger(__name__)


class Finisher:
    """The last steps of one department."""

    def __init__(
        self,
        task: DepartmentTask,
        settings: Settings,
        attempt: Attempt,
        *,
        checkpointer: Checkpointer,
        publisher: Publisher,
        store: Store,
        follower: BrainFollower,
        events: EventPublisher,
    ) -> None:
        self._task = task
        self._settings = settings
        self._attempt = attempt
        self._checkpointer = checkpointer
        self._publisher = publisher
        self._store = store
        self._follower = follower
        self._events = events
        self._is_evaluation_refused = False
        self.left: list[str] = []
        """What is left for the project's next worker, and why."""

    async def finish(self) -> None:
        """Do what is left; raises IndexUnavailable or EvaluationUnavailable while a later attempt can."""
        await self.send_evaluations()
        await self._index_the_rest()
        if self._task.is_last_department:
            await self._follower.follow()
        checkpoint = self._checkpointer.checkpoint
        await self._events.finished(checkpoint)
        if checkpoint.evaluation is Evaluation.SENDING:
            # A later department of the run sends it, or the project's next run; so only the last department
            # comes again for it, as often as it may.
            is_last_attempt = self._is_evaluation_refused or self._task.is_last_attempt(checkpoint.epoch)
            if self._task.is_last_department and not is_last_attempt:
                raise EvaluationUnavailable("the evaluation waits for Celery's broker")
            _LOGGER.error("the evaluation is left for the project's next worker to queue")
        level = logging.INFO if checkpoint.finished is StopReason.THRESHOLD_REACHED else logging.WARNING
        _LOGGER.log(
            level, "department finished: %s, quality %.1f, %d notes, %d iterations",
            checkpoint.finished, checkpoint.quality_score, checkpoint.items_created, checkpoint.iterations,
        )  # fmt: skip

    async def send_evaluations(self) -> None:
        """Queue the department's evaluation if it is due, and those that earlier workers could not queue."""
        own = self._checkpointer.checkpoint
        if own.evaluation is Evaluation.SENDING:
            if not await self._send(own):
                return
            await self._checkpointer.save(Checkpoint.evaluation_sent)
        for other in await self._store.unsent_evaluations(own.id):
            if not await self._send(other):
                return
            await self._store.note_evaluation_sent(other)
            _LOGGER.info("queued the evaluation that department %s had left", other.department)

    async def _send(self, checkpoint: Checkpoint) -> bool:
        from gather_worker.services import evaluation  # noqa: PLC0415 - Celery is slow to import

        settings = self._settings
        route = evaluation.EvaluationRoute(
            settings.broker_url,
            settings.evaluation_timeout_s,
            settings.evaluation_task,
            settings.evaluation_queue,
            settings.evaluation_priority,
        )
        arguments = await self._arguments(checkpoint)
        try:
            is_sent = arguments is not None and await evaluation.send_evaluation(route, checkpoint, arguments)
        except EvaluationRefused as error:
            is_sent, self._is_evaluation_refused = False, True
            self._leave(f"the evaluation is not queued: {error}")
        METER.evaluated(is_sent=is_sent)
        if is_sent:
            _LOGGER.info("the evaluation is queued: task %s in queue %s", route.task, route.queue)
        return is_sent

    async def _arguments(self, checkpoint: Checkpoint) -> dict[str, Any] | None:
        """Return the evaluation's arguments in the wanted detail, None while they cannot be read."""
        minimal, detail = minimal_arguments(checkpoint), self._settings.evaluation_detail
        if detail is EvaluationDetail.MINIMAL:
            return minimal
        is_own = detail is EvaluationDetail.APPLICATION
        uri = self._settings.mongodb_uri.get_secret_value()
        details = await read_details(uri, checkpoint, has_uploads=is_own)
        if details is None:
            return None
        callback_url = self._settings.evaluation_callback_url
        return application_arguments(checkpoint, details, callback_url) if is_own else minimal | details

    async def _index_the_rest(self) -> None:
        """Wait for the brain while the attempt lasts; a finished department never fails for it.

        Ends with IndexUnavailable while a further attempt can go on waiting. The last attempt leaves the
        notes in the checkpoint, for the next worker of the project.
        """
        try:
            while self._checkpointer.checkpoint.unindexed:
                try:
                    await self._publisher.index()
                except BrainKeyRefused as error:
                    self._leave(
                        f"{len(self._checkpointer.checkpoint.unindexed)} notes are not indexed: {error}"
                    )
                    return
                except BrainUnusable:
                    await self._attempt.sleep(INDEX_RETRY_S)
        except DeadlineNear as error:
            checkpoint = self._checkpointer.checkpoint
            waiting = len(checkpoint.unindexed)
            if not self._task.is_last_attempt(checkpoint.epoch):
                raise IndexUnavailable(f"{waiting} notes wait for the brain") from error
            _LOGGER.error("%d notes are left for the project's next worker to index", waiting)  # noqa: TRY400

    def _leave(self, what: str) -> None:
        if what not in self.left:
            self.left.append(what)
            _LOGGER.error("left for the project's next worker: %s", what)
