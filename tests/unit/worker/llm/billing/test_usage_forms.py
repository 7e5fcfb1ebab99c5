"""Every documented form of usage: never less is booked than was charged, and not more where it is clear."""

import json
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gather_worker.llm.billing.bill import Bill
from gather_worker.llm.billing.usage_forms import error_in, longest_text, read_bill
from gather_worker.llm.ledger import Reserve, Usage
from gather_worker.llm.pricing import Price, PriceEstimate, booked
from tests.support.model_cases.documented_bills import (
    CLEAR,
    COUNTED,
    PRICE,
    TEXT,
    UNCLEAR,
    Form,
    Truth,
    completion,
)

ASKED: Final = 400
RESERVE: Final = Reserve(id="r", model="m", cost_usd=0.2, tokens_in=60_000, tokens_out=60_000)


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """Draw what a request came to; the prompt and the answer are as long as their texts need at least."""
    prompt, answer = draw(st.integers(ASKED, 50_000)), draw(st.integers(150, 30_000))
    cached = draw(st.integers(0, prompt // 2))
    written = draw(st.integers(0, prompt // 4))
    return Truth(prompt, answer, draw(st.integers(0, answer // 2)), cached, written)


def booked_for(body: Any, reserve: Reserve = RESERVE) -> Usage:
    """Return what is booked for the body, after it went over the network."""
    sent = json.loads(json.dumps(body))
    bill = read_bill(sent).checked(ASKED, len(longest_text(sent)) // 4)
    return booked(PriceEstimate(PRICE, is_known=True), bill, reserve, len(TEXT) // 4)


@pytest.mark.parametrize("form", CLEAR.values(), ids=CLEAR)
@settings(max_examples=8, deadline=None)
@given(truth=truths())
def test_a_cost_that_is_named_is_booked(form: Form, truth: Truth) -> None:
    """To the ten-millionth, and the tokens too."""
    usage = booked_for(form(truth))
    assert usage.cost_usd == pytest.approx(truth.cost_usd, abs=2e-10)
    assert (usage.tokens_in, usage.tokens_out) == (truth.prompt, truth.answer)


@pytest.mark.parametrize("form", COUNTED.values(), ids=COUNTED)
@settings(max_examples=8, deadline=None)
@given(truth=truths())
def test_tokens_that_are_named_are_booked(form: Form, truth: Truth) -> None:
    """And the money is never less than they cost."""
    body = form(truth)
    usage = booked_for(body)
    assert (usage.tokens_in, usage.tokens_out) == (truth.prompt, truth.answer)
    least = truth.cost_usd if read_bill(body).extra_in else PRICE.cost_usd(truth.prompt, truth.answer)
    assert usage.cost_usd is not None
    assert usage.cost_usd >= least - 1e-9


@pytest.mark.parametrize("form", UNCLEAR.values(), ids=UNCLEAR)
@settings(max_examples=8, deadline=None)
@given(truth=truths())
def test_what_is_left_out_is_booked_at_its_worst(form: Form, truth: Truth) -> None:
    """At least what was charged, and never more than what was set aside but for what is counted twice."""
    usage = booked_for(form(truth))
    assert usage.cost_usd is not None
    assert usage.cost_usd >= PRICE.cost_usd(truth.prompt, truth.answer) - 1e-9
    assert usage.tokens_in >= truth.prompt
    assert usage.tokens_out >= truth.answer
    worst = PRICE.cost_usd(2 * RESERVE.tokens_in, RESERVE.tokens_out + truth.reasoning)
    assert usage.cost_usd <= worst * 1.05


NUMBERS: Final = [
    name for name in {**CLEAR, **COUNTED} if "not flagged" not in name and "numbers as text" not in name
]
"""Without its upstream price, an own key that is not flagged says nothing of it."""


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(NUMBERS),
    truth=truths(),
    place=st.integers(0, 30),
    value=st.sampled_from([None, -1, "", [], {}, "n/a", True]),
)
@example(name="Perplexity, cost.total_cost", truth=Truth(400, 221, 0, 0, 0), place=16, value=None)
def test_a_part_that_is_no_number_is_not_booked_as_nothing(
    name: str, truth: Truth, place: int, value: Any
) -> None:
    """Whatever one part is replaced by: the tokens of prompt and answer are at least their texts'."""
    body = {**CLEAR, **COUNTED}[name](truth)
    holders = _holders(body)
    holder = holders[place % len(holders)]
    holder[list(holder)[place % len(holder)]] = value
    usage = booked_for(body)
    assert usage.tokens_in >= ASKED / 4 - 16
    assert usage.tokens_out >= len(TEXT) / 4 / 4 - 16
    assert usage.cost_usd is not None
    assert usage.cost_usd >= min(truth.cost_usd, PRICE.cost_usd(ASKED / 4, 20)) - 1e-9


COUNTS: Final = (
    "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "promptTokenCount",
    "candidatesTokenCount",
)  # fmt: skip
TOTALLED: Final = [
    name
    for name, form in {**CLEAR, **COUNTED}.items()
    if "thoughts" not in name and "total" in json.dumps(form(Truth(400, 221, 0, 0, 0)))
]
"""Forms that name a total; what thoughts a total alone holds is not known where another count is missing."""


@pytest.mark.parametrize("name", TOTALLED)
@settings(max_examples=8, deadline=None)
@given(truth=truths(), count=st.sampled_from(COUNTS))
def test_a_count_that_is_missing_is_the_rest_of_the_total_at_least(
    name: str, truth: Truth, count: str
) -> None:
    """Also where the total leaves out what was put in besides, or thoughts."""
    body = {**CLEAR, **COUNTED}[name](truth)
    for holder in _holders(body):
        holder.pop(count, None)
    usage = booked_for(body)
    assert usage.tokens_in >= truth.prompt
    assert usage.tokens_out >= truth.answer
    assert usage.cost_usd is not None
    least = truth.cost_usd if name in CLEAR else PRICE.cost_usd(truth.prompt, truth.answer)
    assert usage.cost_usd >= least - 1e-9


def _holders(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a body that hold numbers."""
    if isinstance(value, list):
        return [holder for entry in value for holder in _holders(entry)]
    if not isinstance(value, dict):
        return []
    own = [value] if any(isinstance(entry, int | float) for entry in value.values()) else []
    return own + [holder for entry in value.values() for holder in _holders(entry)]


# --- what is no bill


@pytest.mark.parametrize(
    "body",
    [
        completion() | {"choices": [{"message": {"content": '{"usage": {"cost": 0, "is_byok": false}}'}}]},
        {"choices": [{"message": {"tool_calls": [{"function": {"arguments": {"usage": {"cost": 1e-9}}}}]}}]},
        {"choices": [{"message": {"parsed": {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}}}]},
        {"message": {"content": "", "tool_calls": [{"function": {"arguments": {"usage": {"cost": 1e-9}}}}]}},
        {"content": [{"type": "tool_use", "input": {"usage": {"cost": 1e-9}}}]},
    ],
    ids=["text", "arguments", "parsed", "Ollama's arguments", "Anthropic's input"],
)
def test_a_model_cannot_write_its_own_bill(body: dict[str, Any]) -> None:
    """What stands where its words stand is not read."""
    assert read_bill(body) == Bill()


@pytest.mark.parametrize("body", [None, [], {}, "ok", 7, {"status": "ok"}, [[[[[[[[]]]]]]]]])
def test_what_says_nothing_is_no_bill(body: Any) -> None:
    """Also no crash."""
    assert not read_bill(body).is_said


def test_a_free_model_stays_free() -> None:
    """By its list, or by OpenRouter's word that it charged by its own key."""
    free = PriceEstimate(Price(0, 0), is_known=True)
    usage = {"prompt_tokens": 500, "completion_tokens": 200, "total_tokens": 700, "cost": 0}
    assert booked(free, read_bill(completion(usage)), RESERVE).cost_usd == 0
    said = read_bill(completion({**usage, "is_byok": False}))
    assert booked(PriceEstimate(PRICE, is_known=True), said, RESERVE).cost_usd == 0


def test_a_key_of_ones_own_may_be_said_in_words() -> None:
    """Some gateways write every value as text."""
    usage = {"cost": "0", "is_byok": "True", "cost_details": {"upstream_inference_cost": "0.65"}}
    assert read_bill(completion(usage)).cost_usd == 0.65
    assert read_bill(completion({"cost": 0, "is_byok": "false"})).is_free_said


def test_a_cost_from_a_wrong_count_is_not_believed() -> None:
    """A gateway that took the stream's first count for the last one has computed the cost from it."""
    wrong = completion({"prompt_tokens": 500, "completion_tokens": 1, "total_tokens": 501, "cost": 1e-6})
    assert booked_for(wrong).cost_usd == pytest.approx(PRICE.cost_usd(500, RESERVE.tokens_out))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 9000}, 8000),
        ({"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}, 0),
        ({"input_tokens": 1000, "output_tokens": 500}, 0),
        ({"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1400}, 0),
        ({"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 9000,
          "completion_tokens_details": {"reasoning_tokens": 20}}, 20),
    ],
)  # fmt: skip
def test_reasoning_that_only_the_total_has_is_known(usage: dict[str, Any], expected: int) -> None:
    """The next answer's limit has room for it."""
    assert read_bill(completion(usage)).reasoning == expected


def test_searches_of_the_provider_are_paid_where_no_cost_is_named() -> None:
    """Four sources of xAI's, at most 35 USD a thousand."""
    usage = {"prompt_tokens": 500, "completion_tokens": 200, "total_tokens": 700, "num_sources_used": 4}
    assert booked_for(completion(usage)).cost_usd == pytest.approx(PRICE.cost_usd(500, 200) + 0.14)


def test_an_answer_longer_than_its_limit_without_a_usage_counts_by_its_text() -> None:
    """An endpoint that ignores max_tokens."""
    small = RESERVE.model_copy(update={"tokens_out": 10})
    assert booked_for(completion(), small).tokens_out == len(TEXT) // 4


def test_an_error_is_found_wherever_it_stands() -> None:
    """In the body, in a wrapper, in a choice."""
    assert error_in({"error": {"code": 502}}) == {"code": 502}
    assert error_in({"choices": [{"error": {"code": 503}}]}) == {"code": 503}
    assert error_in({"data": {"error": "overloaded"}}) == "overloaded"
    assert error_in(completion({}) | {"error": None}) is None
