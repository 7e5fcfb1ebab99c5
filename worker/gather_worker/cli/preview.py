"""`gather-worker preview`: one iteration of a department as a run would begin it, and nothing written.

No checkpoint, no note, no node, no event, no kept answer: Redis is not opened, MongoDB is only read, and of
the brain only what answers questions is called. What it costs is the model's price, within a cap.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from gather_clients.brain_client import BrainClient
from gather_contracts.resource import Budget
from gather_contracts.result import ExitCode
from gather_worker.attempt import Attempt, soft_deadline_s
from gather_worker.cli.clients import open_brain, open_model, run_command
from gather_worker.cli.preview_input import GivenNotes, read_given_notes, read_preview_task
from gather_worker.cli.preview_report import Context, Spent, report_of, table_of
from gather_worker.cli.settings import PreviewSettings
from gather_worker.cli.signals import end_on_signals
from gather_worker.department.task import DepartmentTask
from gather_worker.duplicates.calibration import read_calibration
from gather_worker.errors import BrainUnusable, BudgetUsed, InvalidInput, StoreUnavailable, WorkerError
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts import Prompt
from gather_worker.services.brain import Brain
from gather_worker.services.notes import NoteReader
from gather_worker.settings import read_settings
from gather_worker.steps.previewing import Previewer, Written
from gather_worker.steps.project_notes import NoteSource, ProjectNotes

COST_DEFAULT_USD: Final = 0.50
"""Where the run has no cap of its own: ten notes and a verdict of the most expensive models in use."""
NOWHERE: Final = "http://brain.invalid"
STORE_PATIENCE_S: Final = 5.0
"""Somebody waits, and the preview goes on without MongoDB."""

_LOGGER = logging.getLogger(__name__)


def execute(arguments: argparse.Namespace) -> ExitCode:
    """Print the preview; raises WorkerError."""
    task = read_preview_task(arguments)
    settings = read_settings(PreviewSettings)
    if arguments.with_model and not settings.has_model:
        raise InvalidInput("set OPENROUTER_API_KEY or GATHER_LLM_BASE_URL, or give --no-model")
    given = read_given_notes(arguments.notes, task.document.spec.project_id) if arguments.notes else None
    report = run_command(_preview(task, settings, arguments, given))
    if not arguments.show_prompt:
        report["prompt"].pop("messages")
    text = table_of(report) if arguments.is_table else f"{json.dumps(report, indent=2, ensure_ascii=False)}\n"
    sys.stdout.write(text)
    return ExitCode.DONE


async def _preview(
    task: DepartmentTask, settings: PreviewSettings, arguments: argparse.Namespace, given: GivenNotes | None
) -> dict[str, Any]:
    began_s = time.monotonic()
    attempt = Attempt(soft_deadline_s(task.document.spec.department_timeout_seconds))
    end_on_signals(attempt)
    own = settings.duplicate_calibration
    calibration = None if own is None else read_calibration(own)
    budget = budget_of(task, arguments.max_cost_usd)
    is_offline, project_id = arguments.is_offline, task.document.spec.project_id
    notes, source = await _read_notes(task, settings, attempt, given, is_offline=is_offline)
    read = len(notes.known)
    is_asked = bool(settings.brain_url) and not is_offline
    async with (
        _brain(settings, attempt, project_id, is_asked=is_asked) as brain,
        open_model(settings, attempt, budget) as model,
    ):
        previewer = Previewer(task, settings, notes, brain, model, calibration=calibration, say=_say)
        prompt = await previewer.prompt()
        written = await _written(previewer, prompt, model, budget) if arguments.with_model else None
        context = Context(source, read, has_brain=await brain.is_usable())
        spent = Spent(model.ledger, budget.max_cost_usd, round(time.monotonic() - began_s, 2))
        return report_of(task, prompt, written, measurer=previewer.measurer, context=context, spent=spent)


async def _written(previewer: Previewer, prompt: Prompt, model: ModelGateway, budget: Budget) -> Written:
    """Return what the model wrote; an error says what was paid for it."""
    try:
        return await previewer.write()
    except BudgetUsed as error:
        said = f"{budget.max_cost_usd:g} USD" if budget.max_cost_usd is not None else "the run's budget"
        fix = "raise --max-cost, or give --no-model to see the prompt alone"
        raise InvalidInput(f"{said} covers no answer to {prompt.version}; {fix}") from error
    except WorkerError:
        if spent_usd := model.ledger.total_usd:
            _LOGGER.warning("%.4f USD were spent", spent_usd)
        raise


def budget_of(task: DepartmentTask, max_cost_usd: float | None) -> Budget:
    """Return the cap: as the arguments have it, else the run's, else a small one."""
    own = task.document.spec.budget or Budget()
    usd = own.max_cost_usd if max_cost_usd is None else max_cost_usd
    return own.model_copy(update={"max_cost_usd": COST_DEFAULT_USD if usd is None else usd})


def _say(step: str) -> None:
    """Name the step to somebody who waits; a program that reads standard error gets warnings alone."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{step} …\n")


# --- what is read


class _NoBrain(Brain):
    """Stands where no brain is asked."""

    async def _check_ready(self) -> None:
        raise BrainUnusable("no brain is asked")


@asynccontextmanager
async def _brain(
    settings: PreviewSettings, attempt: Attempt, project_id: str, *, is_asked: bool
) -> AsyncIterator[Brain]:
    if is_asked:
        async with open_brain(settings, attempt, project_id) as brain:
            yield brain
        return
    async with BrainClient(NOWHERE, "") as client:
        yield _NoBrain(client, attempt, project_id)


async def _read_notes(
    task: DepartmentTask,
    settings: PreviewSettings,
    attempt: Attempt,
    given: GivenNotes | None,
    *,
    is_offline: bool,
) -> tuple[ProjectNotes, str]:
    """Return the project's notes, and where they come from; without MongoDB there are none."""
    uri = settings.mongodb_uri.get_secret_value()
    if given is not None or is_offline or not uri:
        return await _read(task, given or GivenNotes()), "none" if given is None else "file"
    reader = NoteReader(uri, task.document.spec.project_id, attempt, STORE_PATIENCE_S)
    try:
        return await _read(task, reader), "MongoDB"
    except StoreUnavailable as error:
        _LOGGER.warning("the preview goes on without the project's notes: %s", error)
        return await _read(task, GivenNotes()), "none"
    finally:
        await reader.close()


async def _read(task: DepartmentTask, source: NoteSource) -> ProjectNotes:
    notes = ProjectNotes(task, source)
    await notes.read()
    return notes
