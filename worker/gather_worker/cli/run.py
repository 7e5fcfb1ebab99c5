"""The composition root: settings and task in, the brain asked at once, and the department worked on."""

import argparse
import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from gather_clients.configuration import secret_now
from gather_clients.logs import set_log_context
from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt, soft_deadline_s
from gather_worker.cli.signals import end_on_signals
from gather_worker.closing import close_within_bounds
from gather_worker.department.outcome import Outcome
from gather_worker.department.task import DepartmentTask, read_task
from gather_worker.metrics import METER
from gather_worker.services.brain import Brain, brain_client
from gather_worker.settings import Settings, read_settings
from gather_worker.steps.opening_questions import OpeningQuestions

WorkOn = Callable[[DepartmentTask, Settings, Attempt, OpeningQuestions, Outcome], Awaitable[StopReason]]


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
    brain = _open_brain(settings, attempt, task.document.spec.project_id)
    opening = OpeningQuestions(task, brain)
    try:
        opening.begin()
        # On a thread, so that the questions leave: the brain answers meanwhile.
        work_on = await asyncio.to_thread(_import_the_rest)
        return await work_on(task, settings, attempt, opening, outcome)
    finally:
        await opening.close()
        await close_within_bounds(brain)


def _import_the_rest() -> WorkOn:
    from gather_worker.department_run import work_on  # noqa: PLC0415 - a third of all that is imported

    gc.freeze()
    gc.enable()
    return work_on


def _open_brain(settings: Settings, attempt: Attempt, project_id: str) -> Brain:
    key = settings.brain_api_key.get_secret_value()
    client = brain_client(settings.brain_url, key)
    return Brain(client, attempt, project_id, partial(secret_now, "BRAIN_SERVICE_API_KEY", key))
