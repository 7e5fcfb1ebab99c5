"""The termination message: always readable, always small."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.result import (
    TERMINATION_MESSAGE_MAX_BYTES,
    ExitCode,
    StopReason,
    decode_result,
    encode_result,
)
from gather_worker import errors
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.outcome import Outcome
from gather_worker.department.quality import Quality, Source
from gather_worker.llm.ledger import Ledger


@given(st.text(max_size=2000), st.sampled_from(StopReason))
def test_the_termination_message_fits_whatever_the_error_says(message: str, reason: StopReason) -> None:
    """Under 1 KiB in UTF-8, and the operator can read it back."""
    outcome = Outcome()
    outcome.checkpoint = Checkpoint(
        id="x", iterations=500, items_created=5000, scores=[99.9] * 500,
        ledger=Ledger(cost_usd=12345.678901234, tokens_in=10**9, tokens_out=10**9),
    )  # fmt: skip
    outcome.ended(reason, ExitCode.TRY_AGAIN, message)
    text = encode_result(outcome.result())
    assert len(text.encode("utf-8", "surrogatepass")) <= TERMINATION_MESSAGE_MAX_BYTES
    read = decode_result(text)
    assert read is not None
    assert (read.reason, read.iterations, read.items_created, read.quality_score) == (reason, 500, 5000, 99.9)
    assert read.cost_usd == 12345.678901


def test_what_a_finished_department_leaves_is_said() -> None:
    """An error says more, where there is one."""
    outcome = Outcome()
    outcome.left = "2 notes are not indexed: BRAIN_SERVICE_API_KEY: no"
    outcome.ended(StopReason.THRESHOLD_REACHED, ExitCode.DONE)
    assert outcome.result().message == outcome.left
    outcome.ended(StopReason.STORE_UNAVAILABLE, ExitCode.TRY_AGAIN, "MongoDB is unavailable")
    assert outcome.result().message == "MongoDB is unavailable"


def test_a_score_that_is_not_the_judge_s_is_said() -> None:
    """After what is left to do, and before nothing: an error says more."""
    quality = Quality(
        score=50, coverage=50, depth=50, coherence=50, actionability=50, coverage_source=Source.BRAIN,
        rubric_source=Source.MODEL, verdicts=3, unquoted={"depth": 3, "coherence": 2},
    )  # fmt: skip
    outcome = Outcome()
    outcome.checkpoint = Checkpoint(id="x", quality=quality)
    outcome.ended(StopReason.THRESHOLD_REACHED, ExitCode.DONE)
    said = "depth: the brain's measures, since no quote of the judge's stands in the notes"
    assert outcome.result().message == said
    outcome.left = "2 notes are not indexed"
    assert outcome.result().message == f"2 notes are not indexed; {said}"
    outcome.ended(StopReason.STORE_UNAVAILABLE, ExitCode.TRY_AGAIN, "MongoDB is unavailable")
    assert outcome.result().message == "MongoDB is unavailable"


def test_an_end_before_the_beginning_is_reported_as_well() -> None:
    """Nothing was read, so nothing is counted."""
    result = Outcome().result()
    assert (result.reason, result.iterations, result.items_created) == (StopReason.INTERNAL_ERROR, 0, 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput, 64),
        (errors.StoreUnavailable, 75),
        (errors.ModelUnavailable, 75),
        (errors.IndexUnavailable, 75),
        (errors.EvaluationUnavailable, 75),
        (errors.DeadlineNear, 75),
        (errors.Fenced, 75),
        (errors.Terminated, 143),
        (errors.WorkerError, 75),
    ],
)
def test_each_end_has_its_exit_code(error: type[errors.WorkerError], code: int) -> None:
    """0 is for a finished department alone."""
    assert error.exit_code == code
    assert error.reason in StopReason
