"""All checks, at the same time and each within its time; one that fails itself is a finding, too."""

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from pydantic import Field, SecretStr

from gather_clients.cms_requests import CmsSettings
from gather_contracts.names import OBJECT_ID_PATTERN
from gather_contracts.run_document import RunDocument
from gather_worker.check.brain_check import check_brain
from gather_worker.check.broker_check import check_broker
from gather_worker.check.cms_check import check_cms
from gather_worker.check.findings import Finding, Status, ok
from gather_worker.check.model_check import gather_model_facts, model_findings
from gather_worker.check.mongodb_check import check_mongodb
from gather_worker.check.redis_check import check_redis
from gather_worker.check.run_cost import cost_finding, iterations_cost
from gather_worker.errors import InvalidInput
from gather_worker.llm.asking.answer_length import answer_limit
from gather_worker.llm.pricing import Price
from gather_worker.model_settings import OPENROUTER_URL
from gather_worker.schemas import DraftBatch
from gather_worker.settings import Settings

CHECK_S: Final = 30.0
"""For one outside system; each call in it has less."""
MODEL_ASKED_S: Final = 90.0
ITERATIONS_DEFAULT: Final = 50
"""A run's own default."""


class CheckSettings(Settings, CmsSettings):
    """A worker's settings, and the operator's for the CMS where they are set.

    An address that can never work is a finding, beside the others.
    """

    redis_url: SecretStr = Field(min_length=1, validation_alias="REDIS_URL")
    brain_url: str = Field(min_length=1, validation_alias="BRAIN_SERVICE_BASE_URL")
    llm_base_url: str = Field(default=OPENROUTER_URL, validation_alias="GATHER_LLM_BASE_URL")
    app_url: str | None = Field(default=None, validation_alias="NEXT_PUBLIC_APP_URL")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be looked at: a run, or only a project, or neither."""

    document: RunDocument | None = None
    project_id: str | None = None
    models: tuple[str, ...] = ()
    """Over those of the run's departments."""
    iterations: int | None = None
    is_model_asked: bool = False

    @property
    def project(self) -> str | None:
        """Return the project's id, None if none is named."""
        return self.document.spec.project_id if self.document else self.project_id

    @property
    def is_evaluated(self) -> bool:
        """Return whether evaluations are sent."""
        return self.document is None or self.document.spec.enable_auto_evaluation

    @property
    def writers(self) -> list[str]:
        """Return the models that write notes, each once."""
        own = [department.model for department in self.document.departments] if self.document else []
        return list(dict.fromkeys([*own, *self.models]))

    @property
    def iterations_planned(self) -> int:
        """Return how many iterations are reckoned with."""
        if self.iterations is not None:
            return self.iterations
        return self.document.spec.max_iterations if self.document else ITERATIONS_DEFAULT

    @property
    def cap_usd(self) -> float | None:
        """Return the run's cap on money."""
        budget = self.document.spec.budget if self.document else None
        return budget.max_cost_usd if budget else None

    def checked(self) -> "Plan":
        """Return the plan; raises InvalidInput if the project's id is malformed."""
        if self.project_id is not None and not re.fullmatch(OBJECT_ID_PATTERN, self.project_id):
            raise InvalidInput("--project: must be 24 hexadecimal digits")
        return self


async def check_all(settings: CheckSettings, plan: Plan) -> list[Finding]:
    """Return what was found, in the order of the report."""
    broker_url = settings.broker_url
    model_limit_s = CHECK_S + (MODEL_ASKED_S if plan.is_model_asked else 0)
    found = await asyncio.gather(
        _bounded("CMS", check_cms(settings.app_url, settings.cms_key, settings.cms_form)),
        _bounded("MongoDB", check_mongodb(settings.mongodb_uri.get_secret_value(), plan.project)),
        _bounded("Model endpoint", _check_model(settings, plan), model_limit_s),
        _bounded("Brain", check_brain(
            settings.brain_url, settings.brain_api_key.get_secret_value(), plan.project,
            settings.duplicate_calibration,
        ), is_required=False),
        _bounded("Redis", check_redis(settings.redis, settings.redis_timeout_s), is_required=False),
        _bounded("Celery broker", check_broker(
            broker_url, settings.evaluation_task, settings.evaluation_queue, is_wanted=plan.is_evaluated,
        ), is_required=False),
    )  # fmt: skip
    run = [_run_finding(plan.document)] if plan.document else []
    return run + [finding for findings in found for finding in findings]


async def _bounded(
    name: str, check: Awaitable[list[Finding]], limit_s: float = CHECK_S, *, is_required: bool = True
) -> list[Finding]:
    try:
        async with asyncio.timeout(limit_s):
            return await check
    except TimeoutError:
        text, is_transient = f"no answer within {limit_s:g} s", True
    except Exception as error:  # noqa: BLE001 - the other checks' findings must be told all the same
        text, is_transient = f"the check itself failed: {type(error).__name__}", False
    fix = "see that it answers in time, and check again" if is_transient else "tell the authors of Gather"
    return [Finding(name, Status.FAIL, text, fix, is_required, is_transient)]


def _run_finding(document: RunDocument) -> Finding:
    spec = document.spec
    departments = len(document.departments)
    return ok("Run", f"{document.run.name}: {departments} departments, {spec.max_iterations} iterations, "
              f"project {spec.project_id}")  # fmt: skip


async def _check_model(settings: CheckSettings, plan: Plan) -> list[Finding]:
    writers = plan.writers
    further = [model for model in (settings.judge_model, *settings.llm_fallback_models) if model]
    models = list(dict.fromkeys([*writers, *further]))
    facts = await gather_model_facts(
        settings.llm_base_url, settings.model_access, models,
        is_asked=plan.is_model_asked, preferences=settings.model_preferences,
    )  # fmt: skip
    own, language = settings.llm_price, plan.document.spec.language if plan.document else None
    longest = answer_limit(DraftBatch, settings.llm_max_tokens, language=language or "")
    found = model_findings(
        facts, models, longest, has_own_price=own is not None,
        is_capped=plan.cap_usd is not None,
        fallbacks=frozenset(settings.llm_fallback_models) - {*writers, settings.judge_model},
    )  # fmt: skip
    if not writers or facts.malformed or facts.models.problem:
        return found
    priced = [own or facts.prices.get(model) for model in writers]
    known = [price for price in priced if price is not None]
    bounds = None
    if len(known) == len(writers):
        judge: Price | None = (
            (own or facts.prices.get(settings.judge_model)) if settings.judge_model else None
        )
        bounds = iterations_cost(
            plan.iterations_planned, known, judge, repeats=settings.judge_repeats,
            max_tokens=longest,
        )  # fmt: skip
    return [*found, cost_finding(plan.iterations_planned, bounds, plan.cap_usd)]
