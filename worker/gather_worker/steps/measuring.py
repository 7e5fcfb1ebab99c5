"""The quality of a department's notes, from what the brain and the model say of them; what is unavailable is
done without.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from gather_clients.notes.note import Note
from gather_contracts.brain import COVERAGE_ITEMS_MAX, CoverageResponse
from gather_contracts.departments import ResolvedDepartment
from gather_worker.department.coverage_findings import Findings, findings_of
from gather_worker.department.evidence import Heard, heard
from gather_worker.department.quality import RUBRIC_PARTS, Quality, combine, gaps_of, unmeasured_parts
from gather_worker.errors import (
    NO_ANSWER,
    BrainKeyRefused,
    BrainUnusable,
    InvalidInput,
    ModelRejected,
    WorkerError,
)
from gather_worker.llm.asking.faults import Fault, fault_of
from gather_worker.llm.gateway import ModelGateway
from gather_worker.metrics import METER
from gather_worker.prompts import builders
from gather_worker.prompts.judge_input import without_copies
from gather_worker.schemas import QualityVerdict
from gather_worker.services.brain import Brain

JUDGE_SETTING: Final = "GATHER_JUDGE_MODEL, or the department's model"

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A department's quality and its gaps; None for what could not be measured."""

    quality: Quality | None
    gaps: list[str] | None
    verdicts: tuple[Heard, ...] = ()
    findings: Findings | None = None


@dataclass(frozen=True, slots=True)
class QualityMeasurer:
    """Measures one department's notes."""

    department: ResolvedDepartment
    brain: Brain
    model: ModelGateway
    judge_model: str
    judge_repeats: int
    """Verdicts on quality that are asked for at once; their median counts. 0: the model is not asked."""
    judge_setting: str = JUDGE_SETTING
    """That names the judge, for people."""
    was_judged: Callable[[], bool] = lambda: False
    """Whether verdicts were given before: a model that is gone later is done without."""

    async def measure(self, own: Sequence[Note], earlier_coverage: float | None = None) -> Measurement:
        """Ask the brain and the model at the same time; there must be notes."""
        coverage, verdicts = await together(self.coverage(own), self.verdicts(own))
        return measurement_of(own, coverage, await self.completed(own, coverage, verdicts), earlier_coverage)

    async def completed(
        self, own: Sequence[Note], coverage: CoverageResponse | None, verdicts: list[Heard]
    ) -> list[Heard]:
        """Return the verdicts, with one more where nobody else can measure a part in the notes' language."""
        missing = unmeasured_parts(coverage, verdicts)
        if not missing or not self.judge_repeats:
            return verdicts
        another = await self._verdict(own, self.judge_repeats)
        found = verdicts if another is None else [*verdicts, another]
        left = unmeasured_parts(coverage, found)
        if left:
            reasons = coverage.quality_metrics.unmeasured if coverage else {}
            said = "; ".join(f"{part}: {reasons.get(part, 'the brain cannot measure it')}" for part in left)
            _LOGGER.warning("the score is without what nobody can measure: %s", said)
        return found

    async def coverage(
        self, own: Sequence[Note], indexing: Awaitable[None] | None = None
    ) -> CoverageResponse | None:
        """Return the brain's coverage of the notes, None if it has none to give.

        One that has nothing of the project yet is asked again after `indexing`, which brings it notes.
        """
        try:
            coverage = await self.brain.coverage(self.department, own)
            if coverage is None and indexing is not None:
                await indexing
                coverage = await self.brain.coverage(self.department, own)
        except BrainKeyRefused as error:
            _LOGGER.warning("coverage is not measured: %s", error)
            return None
        except BrainUnusable:
            _LOGGER.warning("coverage is not measured: the brain is unavailable")
            return None
        if coverage is None:
            _LOGGER.warning("coverage is not measured: the brain has no notes of the project yet")
        return coverage

    async def verdicts(self, own: Sequence[Note]) -> list[Heard]:
        """Return the model's verdicts with what counts of them; each may fail.

        Raises InvalidInput where the endpoint refuses the judge from the first time on: the score would be
        another's.
        """
        readings = (self._verdict(own, number) for number in range(self.judge_repeats))
        verdicts = [verdict for verdict in await together(*readings) if verdict is not None]
        if self.judge_repeats and not verdicts:
            _LOGGER.warning("the model gives no verdict on quality: the brain's measures stand in")
        _report_unquoted(verdicts)
        return verdicts

    async def _verdict(self, own: Sequence[Note], reading: int) -> Heard | None:
        prompt = builders.judge_prompt(self.department, own, reading=reading)
        try:
            verdict = await self.model.ask(self.judge_model, prompt, QualityVerdict)
            return heard(verdict, prompt.quotable)
        except NO_ANSWER as error:
            if is_wrong_judge(error) and not self.was_judged():
                raise InvalidInput(f"{self.judge_setting}: {error}") from error
            _LOGGER.warning("a verdict on quality is missing: %s", error)
            return None


def _report_unquoted(verdicts: Sequence[Heard]) -> None:
    """Count the parts that quote nothing of the notes, and name them."""
    unquoted = [part for verdict in verdicts for part in verdict.unquoted]
    METER.heard(len(RUBRIC_PARTS) * len(verdicts), len(unquoted))
    if unquoted:
        _LOGGER.warning(
            "%d of %d parts of the verdicts on quality do not count (%s): they quote nothing of the notes",
            len(unquoted), len(RUBRIC_PARTS) * len(verdicts), ", ".join(sorted(set(unquoted))),
        )  # fmt: skip


def is_wrong_judge(error: Exception) -> bool:
    """Return whether no set of notes would get a verdict; a filter or a window refuses one set alone."""
    if not (isinstance(error, ModelRejected) and error.is_request_fault):
        return False
    return error.refusal is None or fault_of(error.refusal) not in {Fault.FILTER, Fault.LENGTH}


def measurement_of(
    own: Sequence[Note],
    coverage: CoverageResponse | None,
    verdicts: Sequence[Heard],
    earlier_coverage: float | None,
) -> Measurement:
    """Return the quality of the notes and their gaps, and log it."""
    quality = combine(
        coverage,
        verdicts,
        earlier_coverage,
        distinct_share=without_copies([item.content for item in own]).distinct_share,
        is_partial=len(own) > COVERAGE_ITEMS_MAX,
    )
    if quality is not None:
        _LOGGER.info("quality measured: %.1f", quality.score, extra={"quality": asdict(quality)})
    if coverage is None:
        return Measurement(quality, None, tuple(verdicts))
    return Measurement(quality, gaps_of(coverage), tuple(verdicts), findings_of(coverage))


async def together(*works: Awaitable[Any]) -> Any:
    """Await all to their end; then raise if one of them raised, first of all what ends the attempt."""
    results = await asyncio.gather(*works, return_exceptions=True)
    ends = [result for result in results if isinstance(result, BaseException)]
    for end in sorted(ends, key=lambda e: not isinstance(e, WorkerError)):
        raise end
    return results
