"""Who is asked about a department's quality, and what happens where one of them does not answer."""

import logging
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, cast

import pytest

from gather_clients.notes.note import Note
from gather_contracts.brain import (
    COVERAGE_ITEMS_MAX,
    CoverageAnalysis,
    CoverageResponse,
    CoverageTiming,
    QualityMetrics,
)
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.meters import Meters
from gather_contracts.run_document import RunDocument
from gather_worker.department.evidence import heard
from gather_worker.department.quality import Source
from gather_worker.errors import (
    AnswerInvalid,
    BrainUnusable,
    BudgetUsed,
    InvalidInput,
    ModelRejected,
    ModelUnavailable,
    Terminated,
)
from gather_worker.llm.gateway import ModelGateway
from gather_worker.metrics import METER
from gather_worker.prompts import Prompt
from gather_worker.schemas import QualityVerdict
from gather_worker.services.brain import Brain
from gather_worker.steps.measuring import Measurement, QualityMeasurer

Answer = QualityVerdict | Exception
COVERAGE = CoverageResponse(
    department="story",
    coverage_score=60,
    analysis=CoverageAnalysis(covered_aspects=[], gaps=[], recommendations=[]),
    item_distribution={},
    quality_metrics=QualityMetrics(depth=10, breadth=20, coherence=30, actionability=40),
    timing=CoverageTiming(embedding_time_ms=0, analysis_time_ms=0, total_time_ms=0),
)


class FakeBrain:
    """Gives one answer to every question about coverage."""

    def __init__(self, answer: CoverageResponse | Exception | None) -> None:
        self.answer = answer

    async def coverage(self, _: ResolvedDepartment, __: Sequence[Note]) -> CoverageResponse | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class FakeModel:
    """Gives one answer after the other."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.prompts: list[Prompt] = []

    async def ask(self, _: str, prompt: Prompt, __: type[QualityVerdict]) -> QualityVerdict:
        self.prompts.append(prompt)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


QUOTE = "no lamp at all"


def verdict(score: float, quote: str = QUOTE) -> QualityVerdict:
    quotes = (quote,)
    return QualityVerdict(
        depth=score, coherence=score, actionability=score,
        depth_quotes=quotes, coherence_quotes=quotes, actionability_quotes=quotes,
    )  # fmt: skip


def notes(*texts: str) -> list[Note]:
    return [
        Note(id=f"{number}", content=text, project_id="a" * 24, department="story")
        for number, text in enumerate(texts or ("One lamp.", "Two lamps.", "No lamp at all."))
    ]


async def measured(
    document: RunDocument,
    model: FakeModel,
    answer: Any = COVERAGE,
    *,
    own: Sequence[Note] = (),
    earlier: float | None = None,
    repeats: int | None = None,
) -> Measurement:
    measurer = QualityMeasurer(
        department=document.departments[0],
        brain=cast("Brain", FakeBrain(answer)),
        model=cast("ModelGateway", model),
        judge_model="m/j",
        judge_repeats=len(model.answers) if repeats is None else repeats,
    )
    return await measurer.measure(own or notes(), earlier)


async def test_the_median_of_three_readings_counts(document: RunDocument) -> None:
    """Each reading sees the notes in an order of its own."""
    model = FakeModel(verdict(90), verdict(10), verdict(70))
    found = (await measured(document, model)).quality
    assert found is not None
    assert (found.depth, found.verdicts, found.spread) == (70, 3, 80)
    assert len({prompt.user for prompt in model.prompts}) == 3


@pytest.mark.parametrize(
    "failure",
    [AnswerInvalid("no"), ModelUnavailable("away"), ModelRejected("refused", is_request_fault=False)],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_reading_that_fails_is_done_without(
    document: RunDocument, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Two of three are enough, and the log names the third."""
    found = (await measured(document, FakeModel(verdict(80), failure, verdict(60)))).quality
    assert found is not None
    assert (found.depth, found.verdicts, found.rubric_source) == (70, 2, Source.MODEL)
    assert "a verdict on quality is missing" in caplog.text


async def test_a_judge_that_is_refused_from_the_first_time_on_ends_the_department(
    document: RunDocument,
) -> None:
    """The score would be another's; the message names the setting."""
    refused = ModelRejected("the endpoint has no model m/j", is_request_fault=True)
    with pytest.raises(InvalidInput, match=r"GATHER_JUDGE_MODEL.*: the endpoint has no model m/j"):
        await measured(document, FakeModel(verdict(80), refused, verdict(60)))


async def test_a_judge_that_is_gone_later_is_done_without(document: RunDocument) -> None:
    """The department's notes are there, and its scores say who measured."""
    refused = ModelRejected("gone", is_request_fault=True)
    measurer = QualityMeasurer(
        document.departments[0], cast("Brain", FakeBrain(COVERAGE)), cast("ModelGateway", FakeModel(refused)),
        "m/j", 1, was_judged=lambda: True,
    )  # fmt: skip
    found = (await measurer.measure(notes())).quality
    assert found is not None
    assert found.rubric_source is Source.BRAIN


async def test_a_verdict_that_the_budget_leaves_no_room_for_is_no_wrong_name(document: RunDocument) -> None:
    """It was not even sent."""
    found = (await measured(document, FakeModel(BudgetUsed("no room")))).quality
    assert found is not None
    assert found.rubric_source is Source.BRAIN


async def test_where_all_readings_fail_the_brain_s_measures_stand_in(
    document: RunDocument, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is said."""
    found = (await measured(document, FakeModel(AnswerInvalid("a"), AnswerInvalid("b")))).quality
    assert found is not None
    assert (found.depth, found.verdicts, found.rubric_source) == (10, 0, Source.BRAIN)
    assert "the brain's measures stand in" in caplog.text


UNKNOWN = COVERAGE.model_copy(
    update={
        "quality_metrics": QualityMetrics(
            depth=10, breadth=20, coherence=30, actionability=None, unmeasured={"actionability": "in Polish"}
        )
    }
)


async def test_the_judge_is_asked_again_for_what_nobody_else_can_measure(document: RunDocument) -> None:
    """The first verdict failed; the brain knows no instructions in Polish."""
    model = FakeModel(AnswerInvalid("no"), verdict(50))
    found = (await measured(document, model, UNKNOWN, repeats=1)).quality
    assert found is not None
    assert (found.actionability, found.verdicts, model.answers) == (50, 1, [])


async def test_what_nobody_can_measure_is_left_out_of_the_score_and_named(
    document: RunDocument, caplog: pytest.LogCaptureFixture
) -> None:
    """With the brain's reason; the rest weighs more."""
    model = FakeModel(AnswerInvalid("no"), AnswerInvalid("no"))
    found = (await measured(document, model, UNKNOWN, repeats=1)).quality
    assert found is not None
    assert (found.actionability, found.score) == (None, round((24 + 3 + 6) / 0.9, 1))
    assert "actionability: in Polish" in caplog.text


async def test_without_a_judge_nobody_is_asked_for_it(document: RunDocument) -> None:
    """No repeats, no question."""
    found = (await measured(document, FakeModel(), UNKNOWN)).quality
    assert found is not None
    assert found.actionability is None


async def test_without_a_judge_nobody_is_asked(
    document: RunDocument, caplog: pytest.LogCaptureFixture
) -> None:
    """No repeats, no warning: it was wanted so."""
    found = (await measured(document, FakeModel())).quality
    assert found is not None
    assert found.rubric_source is Source.BRAIN
    assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("answer", [None, BrainUnusable("away")], ids=["no nodes yet", "away"])
async def test_without_coverage_there_is_no_score(document: RunDocument, answer: Any) -> None:
    """The model's three parts are not made into four."""
    found = await measured(document, FakeModel(verdict(50)), answer)
    assert found == Measurement(None, None, (heard(verdict(50), [QUOTE]),))


async def test_a_judge_that_invents_its_quotes_is_not_believed(
    document: RunDocument, caplog: pytest.LogCaptureFixture
) -> None:
    """The brain's measures stand in for all of it, and log and meter say so."""
    METER.resume(Meters())
    before = METER.totals().judge_parts
    found = (await measured(document, FakeModel(*[verdict(95, "Nine lamps burn for the dead")] * 3))).quality
    assert found is not None
    assert (found.depth, found.coherence, found.actionability) == (10, 30, 40)
    assert (found.rubric_source, found.verdicts, found.spread) == (Source.BRAIN, 3, 0)
    assert set(found.sources.values()) == {Source.BRAIN}
    assert (
        "9 of 9 parts of the verdicts on quality do not count (actionability, coherence, depth)"
        in caplog.text
    )
    gained = [b - a for a, b in zip_longest(before, METER.totals().judge_parts, fillvalue=0)]
    assert gained == [0, 9]


async def test_a_part_without_a_quote_is_the_brains_and_the_others_count(document: RunDocument) -> None:
    """Each part by itself, over the verdicts in which it counts."""
    bare = verdict(90).model_copy(update={"depth_quotes": (), "coherence_quotes": ("the", "a lamp of glass")})
    found = (await measured(document, FakeModel(bare, bare, verdict(60)))).quality
    assert found is not None
    assert (found.depth, found.coherence, found.actionability) == (60, 60, 90)
    assert found.unquoted == {"depth": 2, "coherence": 2}
    alone = (await measured(document, FakeModel(bare))).quality
    assert alone is not None
    assert (alone.depth, alone.coherence, alone.actionability) == (10, 30, 90)
    assert alone.sources == {
        "coverage": "brain", "depth": "brain", "coherence": "brain", "actionability": "model"
    }  # fmt: skip


async def test_while_the_brain_is_away_a_part_without_a_quote_is_not_made_up(document: RunDocument) -> None:
    """No score, where a part has no measure."""
    bare = verdict(90).model_copy(update={"depth_quotes": ()})
    found = await measured(document, FakeModel(bare), BrainUnusable("away"), earlier=50)
    assert found.quality is None


async def test_the_end_of_the_attempt_goes_before_a_missing_verdict(document: RunDocument) -> None:
    """SIGTERM in one of three readings ends the attempt; the others' answers are not scored by halves."""
    with pytest.raises(Terminated):
        await measured(document, FakeModel(AnswerInvalid("no"), Terminated("stop"), verdict(60)))


async def test_copies_cost_the_model_s_coherence(document: RunDocument) -> None:
    """Two of four notes are left."""
    own = notes("One lamp.", "one LAMP", "No lamp at all.", "No lamp at all.")
    found = (await measured(document, FakeModel(verdict(80)), own=own)).quality
    assert found is not None
    assert (found.depth, found.coherence) == (80, 40)


async def test_a_measurement_is_logged_with_its_sources(
    document: RunDocument, caplog: pytest.LogCaptureFixture
) -> None:
    """Numbers and who measured them; never a note's text."""
    with caplog.at_level(logging.INFO, "gather_worker"):
        await measured(document, FakeModel(verdict(80)))
    (record,) = caplog.records
    logged = record.__dict__["quality"]
    assert (logged["coverage_source"], logged["rubric_source"], logged["verdicts"]) == ("brain", "model", 1)
    assert "lamp" not in str(record.__dict__)


@pytest.mark.parametrize(("count", "expected"), [(COVERAGE_ITEMS_MAX, 60), (COVERAGE_ITEMS_MAX + 1, 80)])
async def test_coverage_does_not_fall_where_the_brain_sees_the_newest_notes_only(
    document: RunDocument, count: int, expected: float
) -> None:
    """The hundred-and-first note pushes the first one out of its sight, and not out of the department."""
    own = notes(*(f"There is no lamp at all but number {number}." for number in range(count)))
    found = (await measured(document, FakeModel(verdict(50)), own=own, earlier=80)).quality
    assert found is not None
    assert found.coverage == expected
