"""What the brain and the model say of a department's notes, asked and put together; each may be away, and is
then done without.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gather_contracts.brain import COVERAGE_ITEMS_MAX, CoverageResponse
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.items import GatherItem
from gather_worker.department.quality import Quality, combine, gaps_of
from gather_worker.errors import NO_ANSWER, BrainAway, WorkerError
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts import builders
from gather_worker.prompts.judge_input import without_copies
from gather_worker.schemas import QualityVerdict
from gather_worker.services.brain import Brain

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Advisers:
    """Who is asked."""

    brain: Brain
    model: ModelGateway
    judge_model: str
    judge_repeats: int
    """Verdicts on quality that are asked for at once; their median counts. 0: the model is not asked."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A department's quality and its gaps; None for what could not be had."""

    quality: Quality | None
    gaps: list[str] | None
    verdicts: tuple[QualityVerdict, ...] = ()


async def measure(
    advisers: Advisers,
    department: ResolvedDepartment,
    own: Sequence[GatherItem],
    earlier_coverage: float | None,
    on_coverage: Callable[[CoverageResponse], None] | None = None,
) -> Measurement:
    """Measure the department's notes; the brain and the model are asked at the same time.

    `on_coverage` hears the brain's answer when it comes, unless the model is not asked at all.
    """
    if not own:
        return Measurement(None, None)
    hear = on_coverage if advisers.judge_repeats else None
    coverage, verdicts = await together(
        _coverage(advisers, department, own, hear), _verdicts(advisers, department, own)
    )
    quality = combine(
        coverage,
        verdicts,
        earlier_coverage,
        distinct_share=without_copies([item.content for item in own]).distinct_share,
        is_partial=len(own) > COVERAGE_ITEMS_MAX,
    )
    if quality is not None:
        _LOGGER.info("quality measured: %.1f", quality.score, extra={"quality": asdict(quality)})
    return Measurement(quality, gaps_of(coverage) if coverage else None, tuple(verdicts))


async def _coverage(
    advisers: Advisers,
    department: ResolvedDepartment,
    own: Sequence[GatherItem],
    hear: Callable[[CoverageResponse], None] | None,
) -> CoverageResponse | None:
    try:
        coverage = await advisers.brain.coverage(department, own)
    except BrainAway:
        _LOGGER.warning("coverage is not measured: the brain is away")
        return None
    if coverage is None:
        _LOGGER.warning("coverage is not measured: the brain has no notes of the project yet")
    elif hear is not None:
        hear(coverage)
    return coverage


async def _verdicts(
    advisers: Advisers, department: ResolvedDepartment, own: Sequence[GatherItem]
) -> list[QualityVerdict]:
    """Return the verdicts that could be had; some may fail."""
    readings = (_verdict(advisers, department, own, number) for number in range(advisers.judge_repeats))
    verdicts = [verdict for verdict in await together(*readings) if verdict is not None]
    if advisers.judge_repeats and not verdicts:
        _LOGGER.warning("the model gives no verdict on quality: the brain's measures stand in")
    return verdicts


async def _verdict(
    advisers: Advisers, department: ResolvedDepartment, own: Sequence[GatherItem], reading: int
) -> QualityVerdict | None:
    prompt = builders.judge_prompt(department, own, reading=reading)
    try:
        return await advisers.model.ask(advisers.judge_model, prompt, QualityVerdict)
    except NO_ANSWER as error:
        _LOGGER.warning("a verdict on quality is missing: %s", error)
        return None


async def together(*works: Awaitable[Any]) -> Any:
    """Await all to their end, then raise the first end of the attempt that one of them met."""
    results = await asyncio.gather(*works, return_exceptions=True)
    ends = [result for result in results if isinstance(result, BaseException)]
    for end in sorted(ends, key=lambda e: not isinstance(e, WorkerError)):
        raise end
    return results
