"""A department's other clients opened, its pipeline run, and the clients closed.

What this module imports, the drivers of MongoDB and Redis among it, is a third of what a worker imports; it
is imported while the brain answers (`cli.run`).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gather_clients.event_log import EventLog
from gather_contracts.result import StopReason
from gather_contracts.run_document import RunDocument
from gather_worker.attempt import Attempt
from gather_worker.closing import close_within_bounds
from gather_worker.department.outcome import Outcome
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import Fenced, StoreUnavailable, WorkerError
from gather_worker.llm.access.model_client import new_client
from gather_worker.llm.answer_cache import AnswerCache
from gather_worker.llm.budget import PATIENCE_S, BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.tracing import Tracing, open_tracer
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.outbox_events import OutboxEvents
from gather_worker.services.store import Store
from gather_worker.services.verdict_cache import VerdictCache
from gather_worker.settings import Settings
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.opening_questions import OpeningQuestions
from gather_worker.steps.pipeline import Pipeline

if TYPE_CHECKING:
    from gather_worker.duplicates.calibration import Calibration

_LOGGER = logging.getLogger(__name__)


async def work_on(
    task: DepartmentTask,
    settings: Settings,
    attempt: Attempt,
    opening: OpeningQuestions,
    outcome: Outcome,
) -> StopReason:
    """Work on the department until it is finished; raises WorkerError if only the attempt ends.

    The brain has been asked the `opening` questions; the caller closes both.
    """
    async with _open_dependencies(task, settings, attempt, opening) as dependencies:
        return await carry_out(Pipeline(task, settings, dependencies, attempt), outcome)


async def carry_out(pipeline: Pipeline, outcome: Outcome) -> StopReason:
    """Run the pipeline; where only the attempt ends, save what it measured. Raises WorkerError."""
    try:
        return await pipeline.run()
    except (Fenced, StoreUnavailable):
        raise
    except WorkerError:
        with contextlib.suppress(WorkerError):
            await pipeline.save_meters()
        raise
    finally:
        outcome.checkpoint, outcome.left = pipeline.checkpoint, pipeline.left


@asynccontextmanager
async def _open_dependencies(
    task: DepartmentTask, settings: Settings, attempt: Attempt, opening: OpeningQuestions
) -> AsyncIterator[Dependencies]:
    project_id = task.document.spec.project_id
    calibration = _own_calibration(settings)
    model = _open_model(task, settings, attempt)
    store = Store(settings.mongodb_uri.get_secret_value(), project_id, attempt, settings.store_patience_s)
    log = EventLog(settings.redis, settings.redis_timeout_s)
    events = EventPublisher(
        log, task.document, task.department, task.allowance, outbox_of(task.document, store)
    )
    ttl_s = settings.llm_cache_ttl_s
    verdicts = VerdictCache(settings.redis, settings.redis_timeout_s, ttl_s, project_id) if ttl_s else None
    opened = [each for each in (model, store, events, verdicts) if each is not None]
    try:
        yield Dependencies(store, opening.brain, model, events, calibration, verdicts, opening)
    finally:
        await asyncio.gather(*(close_within_bounds(each) for each in opened))


def _own_calibration(settings: Settings) -> "Calibration | None":
    """Return the user's own; one that cannot be read ends the attempt before anything is begun."""
    if settings.duplicate_calibration is None:
        return None
    from gather_worker.duplicates.calibration import read_calibration  # noqa: PLC0415 - 12 ms that few pay

    return read_calibration(settings.duplicate_calibration)


def outbox_of(document: RunDocument, store: Store) -> OutboxEvents | None:
    """Return where the events for the run's webhook go, None if there is none or they go through Redis."""
    url = document.spec.webhook_url
    return OutboxEvents(store, url) if document.has_outbox and url else None


def _open_model(task: DepartmentTask, settings: Settings, attempt: Attempt) -> ModelGateway:
    cache = AnswerCache(settings.redis, settings.redis_timeout_s, settings.llm_cache_ttl_s)
    tracer = None
    if settings.is_traced:
        try:
            tracer = open_tracer()
        except ImportError:
            _LOGGER.warning("GATHER_TRACING is set, but OpenTelemetry is not installed: no spans are made")
    return ModelGateway(
        new_client(settings.llm_base_url, access=settings.model_access),
        attempt,
        timeout_s=settings.llm_timeout_s,
        max_tokens=settings.llm_max_tokens,
        preferences=settings.model_preferences,
        budget=BudgetGuard(
            task.document.spec.budget,
            settings.llm_price,
            # Alone, it would wait for requests that nobody answers any more.
            patience_s=PATIENCE_S if task.is_beside_others else 0.0,
            sleep=attempt.sleep,
        ),
        cache=cache if settings.llm_cache_ttl_s else None,
        run=task.document.run.uid,
        tracing=Tracing(tracer),
    )
