"""Whether the endpoint has the model that judges, before anything is paid for a department.

Without its verdicts the brain's own measures would stand in, and the score would be another's. The endpoint
is asked beside the department's first steps; what it does not say in time, the judge's first refusal says.
"""

import asyncio
from typing import Final

from gather_clients.background_tasks import AFTER_SAVING_S, end_tasks
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import BudgetUsed, InvalidInput
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.model_names import MissingModel
from gather_worker.settings import Settings

PATIENCE_S: Final = 3.0
"""For the list of models, and for the answer to a tiny request where the list does not have the judge."""
JUDGE: Final = "GATHER_JUDGE_MODEL"
WRITER: Final = "defaultModel of the department in the CMS, or GATHER_DEFAULT_MODEL"


def judge_of(task: DepartmentTask, settings: Settings) -> tuple[str, str]:
    """Return the model that judges, and the setting that names it."""
    return (settings.judge_model, JUDGE) if settings.judge_model else (task.department.model, WRITER)


class JudgeCheck:
    """Looks for the judge among the endpoint's models."""

    def __init__(self, task: DepartmentTask, settings: Settings, model: ModelGateway) -> None:
        self._judge, self._setting = judge_of(task, settings)
        # A fallback may stand in for the writer, but not unasked for the judge.
        self._is_wanted = bool(settings.judge_model) or not settings.llm_fallback_models
        self._model = model
        self._looking: asyncio.Task[MissingModel | None] | None = None

    def begin(self) -> None:
        """Look for it from now on."""
        if self._is_wanted and self._looking is None:
            self._looking = asyncio.create_task(self._model.find_missing(self._judge, PATIENCE_S))

    async def settle(self) -> None:
        """Return unless it is missing, which raises InvalidInput."""
        if self._looking is None:
            return
        try:
            missing = await self._looking
        except BudgetUsed:
            return
        if missing is not None:
            raise InvalidInput(f"{self._setting}: {missing}")

    async def close(self) -> None:
        """End the look, whatever it has come to."""
        if self._looking is not None:
            await end_tasks([self._looking], AFTER_SAVING_S)
