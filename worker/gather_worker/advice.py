"""What the brain and the model say about notes, asked and put together; each may be away, and is then done
without.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gather_contracts.brain import CoverageResponse
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.items import GatherItem
from gather_worker import context, dedupe
from gather_worker.answers import Draft, PairVerdicts, QualityVerdict
from gather_worker.brain import Brain
from gather_worker.errors import AnswerInvalid, BrainAway, ModelRejected, ModelUnavailable, WorkerError
from gather_worker.llm import ModelGateway
from gather_worker.quality import Quality, combine, gaps_of
from gather_worker.text import text_hash

T = TypeVar("T")
NO_ANSWER = (AnswerInvalid, ModelRejected, ModelUnavailable)

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Advisers:
    """Who is asked."""

    brain: Brain
    model: ModelGateway
    judge_model: str
    duplicate_threshold: float
    """Raw cosine from which a note is a duplicate without asking the model."""


async def choose_new(
    advisers: Advisers, drafts: Sequence[Draft], items: Sequence[GatherItem], department: str
) -> list[int]:
    """Return the slots of the drafts that say something new, in order."""
    own_texts = [item.content for item in items if item.department == department]
    findings = dedupe.compare_words(drafts, (text_hash(item.content) for item in items), own_texts)
    try:
        neighbours = await advisers.brain.neighbours([draft.content for draft in drafts])
    except BrainAway:
        _LOGGER.warning("duplicates are looked for by words alone: the brain is away")
    else:
        dedupe.compare_meaning(findings, drafts, neighbours, advisers.duplicate_threshold)
    pairs = dedupe.pairs_to_judge(findings)
    if pairs:
        dedupe.apply_verdicts(findings, pairs, await _judge_pairs(advisers, pairs))
    return dedupe.survivors(len(drafts), findings)


async def _judge_pairs(advisers: Advisers, pairs: Sequence[dedupe.Pair]) -> dict[int, bool]:
    try:
        answer = await advisers.model.ask(
            advisers.judge_model, context.duplicates_prompt(pairs), PairVerdicts
        )
    except NO_ANSWER as error:
        _LOGGER.warning("no verdict on %d possible duplicates, they are kept: %s", len(pairs), error)
        return {}
    return {verdict.pair: verdict.duplicate for verdict in answer.verdicts}


@dataclass(frozen=True, slots=True)
class Measurement:
    """A department's quality and its gaps; None for what could not be had."""

    quality: Quality | None
    gaps: list[str] | None


async def measure(
    advisers: Advisers,
    department: ResolvedDepartment,
    own: Sequence[GatherItem],
    earlier_coverage: float | None,
) -> Measurement:
    """Measure the department's notes; the brain and the model are asked at the same time."""
    if not own:
        return Measurement(None, None)
    coverage, verdict = await _both(_coverage(advisers, department, own), _verdict(advisers, department, own))
    quality = combine(coverage, verdict, earlier_coverage)
    return Measurement(quality, gaps_of(coverage) if coverage else None)


async def _coverage(
    advisers: Advisers, department: ResolvedDepartment, own: Sequence[GatherItem]
) -> CoverageResponse | None:
    try:
        return await advisers.brain.coverage(department, own)
    except BrainAway:
        _LOGGER.warning("coverage is not measured: the brain is away")
        return None


async def _verdict(
    advisers: Advisers, department: ResolvedDepartment, own: Sequence[GatherItem]
) -> QualityVerdict | None:
    try:
        return await advisers.model.ask(
            advisers.judge_model, context.judge_prompt(department, own), QualityVerdict
        )
    except NO_ANSWER as error:
        _LOGGER.warning("the model gives no verdict on quality, the brain's measures stand in: %s", error)
        return None


async def _both(one: Any, other: Any) -> Any:
    """Await both to their end, then raise the first end of the attempt that either met."""
    results = await asyncio.gather(one, other, return_exceptions=True)
    ends = [r for r in results if isinstance(r, BaseException)]
    for end in sorted(ends, key=lambda e: not isinstance(e, WorkerError)):
        raise end
    return results
