"""The brain and the model as the commands besides `run` open them, and how such a command runs."""

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from gather_clients.logs import without_secrets
from gather_contracts.names import OBJECT_ID_PATTERN
from gather_contracts.resource import Budget
from gather_worker.attempt import Attempt
from gather_worker.cli.settings import CommandSettings
from gather_worker.errors import InvalidInput
from gather_worker.llm.access.model_client import new_client
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.services.brain import Brain, brain_client

T = TypeVar("T")


@asynccontextmanager
async def open_brain(settings: CommandSettings, attempt: Attempt, project_id: str) -> AsyncIterator[Brain]:
    """Open the brain; raises InvalidInput if the project's id is malformed."""
    if not re.fullmatch(OBJECT_ID_PATTERN, project_id):
        raise InvalidInput("--project: must be 24 hexadecimal digits")
    async with brain_client(settings.brain_url, settings.brain_api_key.get_secret_value()) as client:
        yield Brain(client, attempt, project_id)


@asynccontextmanager
async def open_model(
    settings: CommandSettings, attempt: Attempt, budget: Budget
) -> AsyncIterator[ModelGateway]:
    """Open the model without a cache of answers."""
    model = ModelGateway(
        new_client(settings.llm_base_url, access=settings.model_access),
        attempt,
        timeout_s=settings.llm_timeout_s,
        max_tokens=settings.llm_max_tokens,
        preferences=settings.model_preferences,
        budget=BudgetGuard(budget, settings.llm_price),
    )
    try:
        yield model
    finally:
        await model.close()


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def run_command(work: Coroutine[None, None, T]) -> T:
    """Run a command's work, with warnings about the brain and the model on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    return asyncio.run(work)
