"""What is done after an answer that cannot be used."""

from typing import Any

import pytest

from gather_worker.errors import AnswerInvalid, ModelRejected, ModelUnavailable
from gather_worker.llm.asking.course import (
    PAID_MAX,
    UNREACHED_VERDICT_S,
    After,
    Course,
    Question,
    Unusable,
    after_answer,
    reask,
)
from gather_worker.llm.asking.faults import Fault
from gather_worker.llm.endpoint import CONNECT_TIMEOUT_S
from gather_worker.schemas import DraftBatch, PairVerdict, PairVerdicts, QualityVerdict
from tests.support.scripted_model import PROMPT

ONE = (PairVerdict(pair=1, duplicate=True),)
CUT = {"is_cut_off": True}
EMPTY = {"is_cut_off": True, "is_empty": True, "has_reasoning": True}


@pytest.mark.parametrize(
    ("course", "seen", "expected"),
    [
        ({"paid": 1}, {}, After.REASK),
        ({"paid": 1, "found": ONE}, {}, After.REASK),
        ({"paid": 2, "is_reasked": True, "found": ONE}, {}, After.TAKE),
        ({"paid": 2, "is_reasked": True}, {}, After.END),
        ({"paid": PAID_MAX, "is_reasked": True}, {}, After.END),
        ({"paid": PAID_MAX, "found": ONE}, {}, After.TAKE),
        ({"paid": 1}, {**CUT, "can_be_longer": True}, After.LONGER),
        (
            {"paid": 1, "found": ONE},
            {**CUT, "can_be_longer": True},
            After.REASK,
        ),
        ({"paid": 2, "longer": 2}, {**CUT, "can_be_longer": True}, After.REASK),
        ({"paid": 1}, CUT, After.REASK),
        ({"paid": 2, "longer": 4}, {**EMPTY, "can_reason_less": True}, After.LESS_REASONING),
        ({"paid": 2, "longer": 4}, EMPTY, After.END),
        ({"paid": 3, "longer": 4, "is_less": True}, {**EMPTY, "can_reason_less": True}, After.END),
        ({"paid": 1}, {"is_refused": True}, After.REASK),
        ({"paid": 2, "is_reasked": True}, {"is_refused": True}, After.END),
        ({"paid": 0, "requests": 16}, {}, After.END),
    ],
)
def test_what_follows_an_unusable_answer(
    course: dict[str, Any], seen: dict[str, Any], expected: After
) -> None:
    """Room first, then what was wrong, then from the beginning; notes go before more requests."""
    assert after_answer(Course([], **course), PAID_MAX, Unusable(**seen), has_other_way=False) is expected


@pytest.mark.parametrize("seen", [{}, {"is_refused": True}, EMPTY])
def test_a_third_request_is_paid_only_for_another_way(seen: dict[str, Any]) -> None:
    """Another model or another form; the same words would lead to the same."""
    course = Course([], paid=2, is_reasked=True, longer=4)
    assert after_answer(course, PAID_MAX, Unusable(**seen), has_other_way=True) is After.AFRESH


def test_reasoning_that_used_up_the_tokens_is_named() -> None:
    """With the settings; a cut answer has words of its own."""
    error = AnswerInvalid("cut off")
    assert "GATHER_LLM_REASONING_EFFORT" in Unusable(**EMPTY).words(error)
    assert Unusable(**CUT).words(error) == "cut off"


def test_no_message_of_a_reask_is_empty() -> None:
    """Providers refuse one; and no two messages of one role follow each other."""
    asked = [{"role": "system", "content": "rules"}, {"role": "user", "content": "write"}]
    for text in ("", " \n"):
        again = reask(asked, "the answer is empty", text)
        assert [message["role"] for message in again] == ["system", "user"]
        assert again[-1]["content"].startswith("write\n\n")
        assert "the answer is empty" in again[-1]["content"]
    again = reask(asked, "no JSON", "prose")
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
    assert asked[-1]["content"] == "write"


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([Fault.MODEL], "person"),
        ([Fault.MODEL, Fault.REQUEST], "person"),
        ([Fault.MODEL, Fault.FORBIDDEN], "account"),
        ([Fault.MODEL, Fault.PASSING], "later"),
        ([Fault.RATE], "later"),
    ],
)
def test_an_end_is_for_good_only_if_every_model_is_refused_for_good(
    faults: list[Fault], expected: str
) -> None:
    """The words are those of the model that was asked first."""
    course = Course([])
    for number, fault in enumerate(faults):
        course.gave_up(f"m/{number}", fault, f"words {number}")
    end = course.end()
    assert str(end) == "words 0"
    kind = "later" if isinstance(end, ModelUnavailable) else "person" if end.is_request_fault else "account"
    assert kind == expected
    assert isinstance(end, ModelUnavailable | ModelRejected)


@pytest.mark.parametrize("answer", [QualityVerdict, PairVerdicts])
def test_a_verdict_waits_a_minute_at_most_for_an_endpoint_that_takes_no_connection(answer: Any) -> None:
    """The last try may take its time to connect; notes wait longer, and a limit's end is waited for."""
    verdict, notes = (Question("m/x", PROMPT, each, {}, "key") for each in (answer, DraftBatch))
    assert UNREACHED_VERDICT_S + CONNECT_TIMEOUT_S <= 60
    assert verdict.is_worth_waiting(Fault.UNREACHED, UNREACHED_VERDICT_S)
    assert not verdict.is_worth_waiting(Fault.UNREACHED, UNREACHED_VERDICT_S + 0.1)
    assert verdict.is_worth_waiting(Fault.RATE, 300)
    assert notes.is_worth_waiting(Fault.UNREACHED, 300)
