"""The composition root: settings and task in, clients opened, the pipeline run, clients closed."""

import argparse
import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from gather_clients.configuration import secret_now
from gather_clients.event_log import EventLog
from gather_clients.logs import set_log_context
from gather_clients.outbox.outbox_store import Outbox
from gather_contracts.result import StopReason
from gather_contracts.run_document import RunDocument
from gather_worker.attempt import Attempt, soft_deadline_s
from gather_worker.cli.signals import end_on_signals
from gather_worker.department.outcome import Outcome
from gather_worker.department.task import DepartmentTask, read_task
from gather_worker.errors import Fenced, StoreUnavailable, WorkerError
from gather_worker.llm.access.model_client import new_client
from gather_worker.llm.answer_cache import AnswerCache
from gather_worker.llm.budget import PATIENCE_S, BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.tracing import Tracing, open_tracer
from gather_worker.metrics import METER
from gather_worker.services.brain import Brain, brain_client
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.outbox_events import OutboxEvents
from gather_worker.services.store import Store
from gather_worker.services.verdict_cache import VerdictCache
from gather_worker.settings import Settings, read_settings
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.pipeline import Pipeline

if TYPE_CHECKING:
    from gather_worker.duplicates.calibration import Calibration

CLOSE_TIMEOUT_S: Final = 2.0

_LOGGER = logging.getLogger(__name__)


async def work(arguments: argparse.Namespace, outcome: Outcome, started_at: float) -> StopReason:
    """Work on the department until it is finished; raises WorkerError if only the attempt ends.

    `started_at` is the monotonic time of the process's start, from which the deadline counts.
    """
    METER.begin(started_at)
    settings = read_settings(Settings)
    logging.getLogger("gather_worker").setLevel(settings.log_level)
    task = read_task(arguments.run_file, arguments.department_index, arguments.iterations, settings.pod_name)
    department = task.department
    set_log_context(
        run=task.document.run.name, department=department.slug, iteration=0, model=department.model
    )
    timeout_s = soft_deadline_s(task.document.spec.department_timeout_seconds)
    attempt = Attempt(timeout_s - (time.monotonic() - started_at))
    end_on_signals(attempt)
    async with _open_dependencies(task, settings, attempt) as dependencies:
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
    task: DepartmentTask, settings: Settings, attempt: Attempt
) -> AsyncIterator[Dependencies]:
    project_id = task.document.spec.project_id
    calibration = _own_calibration(settings)
    model = _open_model(task, settings, attempt)
    store = Store(settings.mongodb_uri.get_secret_value(), project_id, attempt, settings.store_patience_s)
    key = settings.brain_api_key.get_secret_value()
    client = brain_client(settings.brain_url, key)
    brain = Brain(client, attempt, project_id, partial(secret_now, "BRAIN_SERVICE_API_KEY", key))
    log = EventLog(settings.redis, settings.redis_timeout_s)
    events = EventPublisher(
        log, task.document, task.department, task.allowance, outbox_of(task.document, store)
    )
    ttl_s = settings.llm_cache_ttl_s
    verdicts = VerdictCache(settings.redis, settings.redis_timeout_s, ttl_s, project_id) if ttl_s else None
    opened = [each for each in (model, store, brain, events, verdicts) if each is not None]
    try:
        yield Dependencies(store, brain, model, events, calibration, verdicts)
    finally:
        await asyncio.gather(*(_close(each) for each in opened))


def _own_calibration(settings: Settings) -> "Calibration | None":
    """Return the user's own; one that cannot be read ends the attempt before anything is begun."""
    if settings.duplicate_calibration is None:
        return None
    from gather_worker.duplicates.calibration import read_calibration  # noqa: PLC0415 - 12 ms that few pay

    return read_calibration(settings.duplicate_calibration)


def outbox_of(document: RunDocument, store: Store) -> OutboxEvents | None:
    """Return where the events for the run's webhook go, None if there is none or they go through Redis."""
    url = document.spec.webhook_url
    return OutboxEvents(Outbox(store.client), store, url) if document.has_outbox and url else None


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


async def _close(dependency: ModelGateway | Store | Brain | EventPublisher | VerdictCache) -> None:
    """Close within bounds: a store that hangs must not hold up the exit."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await dependency.close()
    except Exception as error:  # noqa: BLE001 - the attempt is over, and its result must be written
        _LOGGER.warning("%s did not close: %s", type(dependency).__name__, type(error).__name__)
