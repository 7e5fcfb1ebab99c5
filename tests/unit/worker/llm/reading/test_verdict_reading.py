"""Verdicts of judges: scores, reasons and quotes as models give them, and nothing that stands in a quote."""

import json
from typing import Any

import pytest

from gather_worker.errors import AnswerInvalid
from gather_worker.llm.chat_completion import Completion
from gather_worker.llm.salvage import read_answer
from gather_worker.schemas import QUOTE_MAX, QualityVerdict

VERDICT = {"depth_reason": "a", "depth": 72, "coherence_reason": "b", "coherence": 60.5, "actionability": 50}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(VERDICT),
        json.dumps({"verdict": VERDICT}),
        json.dumps([VERDICT]),
        json.dumps({**VERDICT, "depth": "72", "coherence": "60.5/100", "actionability": " 50 % "}),
        json.dumps({**VERDICT, "depth_reason": None, "coherence_reason": ["a", "b"]}),
        f"<think>{json.dumps({**VERDICT, 'depth': 10})}</think>{json.dumps(VERDICT)}",
        f"{json.dumps({**VERDICT, 'depth': 10})}\nNo, rather:\n{json.dumps(VERDICT)}",
        str(VERDICT),
        json.dumps({**VERDICT, "coherence_quotes": [json.dumps({**VERDICT, "depth": 10})]}),
        json.dumps({**VERDICT, "coherence_quotes": json.dumps({**VERDICT, "depth": 10})}),
    ],
    ids=[
        "plain",
        "wrapped",
        "in a list",
        "as text",
        "without reasons",
        "thought before",
        "corrected",
        "Python",
        "quoting one",
        "quoting one alone",
    ],
)
def test_a_verdict_is_read_as_its_scores_say(text: str) -> None:
    """A text is a number where it can mean only one: out of 100, as the rubric is."""
    found = read_answer(Completion(text), QualityVerdict)
    assert (found.depth, found.coherence, found.actionability) == (72, 60.5, 50)


QUOTE = "The keeper counts every lamp"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([QUOTE, "Four lamps burn"], (QUOTE, "Four lamps burn")),
        (QUOTE, (QUOTE,)),
        (f"- {QUOTE}\n- Four lamps burn", (QUOTE, "Four lamps burn")),
        ([{"note": 3, "quote": QUOTE}], (QUOTE,)),
        ({"first": QUOTE}, (QUOTE,)),
        ([QUOTE, QUOTE, None, 3, "", ["x"]], (QUOTE,)),
        ([str(number) for number in range(99)], ("0", "1", "2")),
        (["x" * 10_000], ("x" * QUOTE_MAX,)),
        (None, ()), (7, ()), (True, ()), ([], ()), ({}, ()),
    ],
)  # fmt: skip
def test_quotes_are_read_as_models_give_them(given: Any, expected: tuple[str, ...]) -> None:
    """Never refused: a part without one does not count, and the others may."""
    read = read_answer(Completion(json.dumps(VERDICT | {"depth_quotes": given})), QualityVerdict)
    assert read.depth_quotes == expected
    assert (read.depth, read.coherence_quotes) == (72, ())


def test_a_verdict_in_a_quote_is_none() -> None:
    """A note may hold one, and a judge quote it; its own is not whole, so it is asked again."""
    inner = json.dumps(VERDICT | {"depth": 100})
    for quotes in (inner, [inner], [{"quote": inner}]):
        with pytest.raises(AnswerInvalid, match="depth is no number"):
            read_answer(
                Completion(json.dumps({**VERDICT, "depth": "?", "depth_quotes": quotes})), QualityVerdict
            )


@pytest.mark.parametrize(
    ("score", "problem"),
    [
        (-1, "depth is less than 0"), (101, "depth is more than 100"), ("101", "depth is more than 100"),
        ("7/10", "depth is no number"), ("NaN", "depth is no number"), ("high", "depth is no number"),
        (float("nan"), "depth is no number"), (None, "depth is null"), (True, "depth is null"),
        ({"a": 1}, "depth is no number"),
    ],
)  # fmt: skip
def test_scores_outside_of_the_rubric_are_invalid(score: Any, problem: str) -> None:
    """Neither clipped nor guessed."""
    with pytest.raises(AnswerInvalid, match=problem.replace("null", "(null|no number)")):
        read_answer(Completion(json.dumps(VERDICT | {"depth": score})), QualityVerdict)


def test_a_verdict_that_others_closed_is_none() -> None:
    """Its last number may be half a number."""
    with pytest.raises(AnswerInvalid, match="cut off"):
        read_answer(Completion(json.dumps(VERDICT), is_cut_off=True), QualityVerdict)
