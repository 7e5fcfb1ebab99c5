"""Requests without an answer: what costs nothing for certain, what stands at its worst, what no model had."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_contracts.resource import Budget
from gather_worker.errors import BudgetUsed, ModelTransient, Refusal
from gather_worker.llm.billing.bill import is_of_no_model, may_be_charged
from gather_worker.llm.billing.charges import Charges
from gather_worker.llm.billing.prompt_bound import PromptSize
from gather_worker.llm.budget import EXCUSED_MAX, BudgetGuard, InMemoryLedgerStore
from gather_worker.llm.failures import error_of
from gather_worker.llm.ledger import Ledger, Rate, Reserve
from gather_worker.llm.pricing import Price
from tests.support.model_cases.documented_bills import CLEAR, COUNTED, PRICE, UNCLEAR, Truth, completion

GOOGLE = "generativelanguage.googleapis.com"
PAGE = b"<!doctype html>\n<html><head><title>Sign in</title></head><body></body></html>"


async def no_price(_: str) -> None:
    """An endpoint without a price list."""


# --- refusals


@pytest.mark.parametrize(
    ("status", "codes", "host", "kinds", "expected"),
    [
        pytest.param(400, (), "x", "", False, id="400"),
        pytest.param(401, (), "x", "", False, id="401 (Azure, Novita)"),
        pytest.param(402, (), "x", "", False, id="402"),
        pytest.param(404, (), "x", "page", False, id="404, a page"),
        pytest.param(413, (), "x", "", False, id="413"),
        pytest.param(429, (), "x", "", False, id="429 (Azure, Novita, Perplexity)"),
        pytest.param(302, (), "x", "page passing", False, id="a redirect"),
        pytest.param(522, (), "x", "page passing", False, id="522 (Cloudflare: did not reach the server)"),
        pytest.param(503, (), "x", "passing", False, id="503 of an API (llama.cpp: loading)"),
        pytest.param(503, (), "x", "page passing", True, id="503 of a proxy (Envoy: reset before headers)"),
        pytest.param(529, ("overloaded_error",), "x", "passing", False, id="529 (Anthropic)"),
        pytest.param(500, (), "x", "passing", True, id="500"),
        pytest.param(500, ("rate_limit_exceeded",), "x", "", False, id="500 that names a rate"),
        pytest.param(500, (), GOOGLE, "passing", False, id="500 of Google (billing questions)"),
        pytest.param(500, (), GOOGLE, "page passing", True, id="500, a page before Google"),
        pytest.param(502, (), "openrouter", "passing", False, id="502 of OpenRouter (errors and debugging)"),
        pytest.param(502, (), "openrouter", "page passing", True, id="502, a page before OpenRouter"),
        pytest.param(502, (), "openrouter", "passing own key", True, id="502 of OpenRouter, own key"),
        pytest.param(502, (), "x", "passing", True, id="502"),
        pytest.param(408, (), "openrouter", "passing", True, id="408 (Azure charges)"),
        pytest.param(499, (), "x", "passing", True, id="499 (Novita charges)"),
        pytest.param(504, (), "x", "passing", True, id="504"),
        pytest.param(524, (), "openrouter", "page passing", True, id="524 (Cloudflare: the server worked)"),
        pytest.param(400, ("json_validate_failed",), "x", "", True, id="Groq, failed_generation"),
        pytest.param(400, ("content_filter",), "x", "", True, id="Azure's filter"),
        pytest.param(400, ("context_length_exceeded",), "a.openai.azure.com", "", True, id="Azure's length"),
        pytest.param(400, ("context_length_exceeded",), "x", "", False, id="another's length"),
        pytest.param(
            0, (), "openrouter", "answer passing", False, id="OpenRouter, zero completion insurance"
        ),
        pytest.param(502, (), "openrouter", "answer passing", False, id="OpenRouter, 502 inside an answer"),
        pytest.param(502, (), "openrouter", "answer passing own key", True, id="the same, own key"),
        pytest.param(502, (), "x", "answer passing", True, id="502 inside an answer"),
        pytest.param(429, (), "x", "answer", False, id="429 inside an answer"),
        pytest.param(400, (), "x", "answer", False, id="400 inside an answer"),
        pytest.param(0, (), "x", "answer passing", True, id="an error inside an answer that says nothing"),
        pytest.param(0, ("rate_limit_exceeded",), "x", "answer", False, id="a rate inside an answer"),
        pytest.param(299, (), "x", "passing", True, id="a status that nobody knows"),
    ],
)
def test_what_a_refusal_may_have_cost(
    status: int, codes: tuple[str, ...], host: str, kinds: str, *, expected: bool
) -> None:
    """What cannot be known counts as charged."""
    may = may_be_charged(
        status,
        codes,
        host,
        is_passing="passing" in kinds,
        is_page="page" in kinds,
        is_in_answer="answer" in kinds,
        is_own_key="own key" in kinds,
    )
    assert may is expected


# --- what no model wrote


@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        ("text/html; charset=utf-8", PAGE, True),
        ("application/json", PAGE, True),
        ("", b"  \r\n<html>", True),
        ("text/plain", b"404 page not found\n", True),
        ("text/xml", b'<?xml version="1.0"?><Error/>', True),
        ("text/plain", b"", False),
        ("text/plain", b'{"choices": [', False),
        ("text/plain", b'  [{"message"', False),
        ("text/plain", b'"{\\"items\\"', False),
        ("text/event-stream", b"data: {", False),
        ("text/event-stream", b": OPENROUTER PROCESSING\n\n", False),
        ("application/json", b"\x1f\x8b\x08\x00\x01", False),
    ],
)
def test_a_page_cannot_be_a_model_s(content_type: str, content: bytes, *, expected: bool) -> None:
    """What may be the rest of an answer is none."""
    assert is_of_no_model(content_type, content) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "ok"}, True),
        ({"name": "api", "version": "1.2", "links": [{"href": "/docs"}]}, True),
        ([], True),
        ({}, True),
        ({"object": "list", "data": [{"id": "gpt-5", "object": "model"}]}, True),
        ({"message": "Welcome to the film API"}, True),
        ({"result": None, "success": False, "errors": [{"code": 7003, "message": "Could not route"}]}, True),
        ({"errors": [{"message": "Must provide query string."}]}, True),
        ({"message": {"content": ""}}, False),
        ({"choices": None}, False),
        ({"data": {"choices": []}}, False),
        ({"usage": {"total_tokens": 5}}, False),
        ({"error": "overloaded"}, False),
        ({"items": []}, False),
        ({"reply": '{"depth": 1}'}, False),
        ({"reply": "The keeper counts every lamp. " * 10}, False),
        (completion(), False),
    ],
)
def test_the_json_of_another_api_cannot_be_a_model_s(body: Any, *, expected: bool) -> None:
    """Nothing in it has a place or the length for an answer."""
    assert is_of_no_model("application/json", b"", body) is expected


# --- booked


class Booking:
    """Requests to one endpoint, booked in one ledger."""

    def __init__(self, host: str = "x", ledger: Ledger | None = None) -> None:
        self.store = InMemoryLedgerStore(ledger or Ledger())
        self.guard = BudgetGuard(Budget(max_cost_usd=10), Price(1e-6, 5e-6))
        self.guard.save_ledger_in(self.store)
        self.charges = Charges(self.guard, host)

    async def reserve(self) -> Reserve:
        """Set a request's worst case aside."""
        return await self.guard.reserve("m", PromptSize(100), 2000, no_price)

    async def body(self, body: Any) -> Reserve:
        """Book a body of status 200."""
        reserve = await self.reserve()
        await self.charges.book(reserve, self.charges.of_body(reserve, body, 0), PromptSize(100))
        return reserve


GOOD = completion({"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300})
GOOD_USD = 100e-6 + 200 * 5e-6
OTHER = {"status": "ok"}


@pytest.mark.parametrize(
    ("host", "body", "share"),
    [
        ("openrouter", {"error": {"code": 502, "message": "Provider returned error"}}, 0),
        ("x", {"error": {"code": 502, "message": "Provider returned error"}}, 1),
        ("x", {"choices": [], "usage": None}, 1),
        ("x", {"choices": [{"message": {"content": None}}]}, 1),
        ("x", {"provider": completion()}, 1),
        ("x", {"code": 0, "message": "success", "data": completion()}, 1),
        ("x", completion(), 1),
        ("x", "half a", 0),
        ("x", OTHER, 0),
    ],
)
async def test_a_body_without_usage_counts_at_its_worst_or_not_at_all(
    host: str, body: Any, share: float
) -> None:
    """An answer, also in a wrapper, and an error that may be one."""
    booking = Booking(host)
    reserve = await booking.body(body)
    assert booking.store.ledger.total_usd == pytest.approx(share * reserve.cost_usd)


@pytest.mark.parametrize(
    ("text", "details", "expected_usd"),
    [("", {}, 0), ("", {"is_byok": True}, 100e-6), ("The keeper counts.", {}, 100e-6)],
)
async def test_openrouter_means_a_cost_of_nothing_for_an_answer_without_a_token(
    text: str, details: dict[str, Any], expected_usd: float
) -> None:
    """Its insurance; not where another charges, nor where a text came after all."""
    usage = {"prompt_tokens": 100, "completion_tokens": 0, "total_tokens": 100, "cost": 0, **details}
    booking = Booking("openrouter")
    await booking.body({"choices": [{"message": {"content": text}}], "usage": usage})
    assert booking.store.ledger.total_usd == pytest.approx(expected_usd)


@pytest.mark.parametrize(("host", "expected_usd"), [("openrouter", 0.0), ("x", GOOD_USD)])
async def test_only_openrouter_is_believed_that_its_own_key_cost_nothing(
    host: str, expected_usd: float
) -> None:
    """A gateway in front of it passes the words on, and takes its own price."""
    booking = Booking(host)
    await booking.body({**GOOD, "usage": {**GOOD["usage"], "cost": 0, "is_byok": False}})
    assert booking.store.ledger.total_usd == pytest.approx(expected_usd)


async def test_an_answer_that_broke_off_counts_as_far_as_nobody_says_how_far_it_came() -> None:
    """A text is there, and an error after it; OpenRouter says that it does not charge for that."""
    booking, insured = Booking(), Booking("openrouter")
    choice = {"message": {"content": "The keeper counts."}, "finish_reason": "error"}
    for each in (booking, insured):
        reserve = await each.body({"choices": [choice], "error": {"code": 502}})
    assert booking.store.ledger.total_usd == pytest.approx(reserve.cost_usd)
    assert insured.store.ledger == Ledger(requests=1)


async def test_usage_beside_an_error_is_booked() -> None:
    """What is said comes before what is insured."""
    booking = Booking("openrouter")
    usage = {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300, "cost": 0.5}
    await booking.body({"error": {"code": 502}, "usage": usage})
    assert booking.store.ledger.total_usd == 0.5


USAGE = {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300}
HUGE = {"total_tokens": 900_000}


@pytest.mark.parametrize(
    ("host", "status", "body", "expected_usd"),
    [
        ("x", 400, {"error": {"message": "no", "code": "invalid_output"}, "usage": USAGE}, GOOD_USD),
        ("x", 422, {"error": {"message": "no", "usage": USAGE}}, GOOD_USD),
        ("x", 400, {"error": {"message": "no"}, "usage": {**USAGE, "cost": 0.004}}, 0.004),
        ("x", 400, {"error": {"message": "no"}, "x-litellm-response-cost": "0.003"}, 0.003),
        ("openrouter", 502, {"error": {"code": 502}, "usage": USAGE}, GOOD_USD),
        ("x", 429, {"error": {"message": "rate limit"}, "usage": USAGE}, GOOD_USD),
        ("x", 429, {"error": {"message": "rate limit"}, "usage": HUGE}, 0),
        ("x", 402, {"error": {"message": "no credit"}, "usage": HUGE}, 0),
        ("x", 400, {"error": {"message": "no"}, "usage": {"prompt_tokens": 0, "total_tokens": 0}}, 0),
        ("x", 400, {"error": {"message": "no"}, "usage": {"include": True}}, 0),
        ("x", 400, {"error": {"message": "no"}}, 0),
        ("x", 504, {"error": {"message": "slow"}, "usage": USAGE}, None),
        ("x", 504, {"error": {"message": "slow"}, "usage": {**USAGE, "cost": 1.5}}, 1.5),
    ],
)  # fmt: skip
async def test_what_a_refusal_says_of_its_cost_is_booked_where_it_is_more(
    host: str, status: int, body: dict[str, Any], expected_usd: float | None
) -> None:
    """Than what the status is booked at; None: all that was set aside, which stands."""
    booking = Booking(host)
    reserve = await booking.reserve()
    words = str(body["error"].get("message", ""))
    error = error_of(Refusal(status, message=words, body=body))
    is_paid = await booking.charges.refused(reserve, error, 0)
    expected = reserve.cost_usd if expected_usd is None else expected_usd
    assert booking.store.ledger.total_usd == pytest.approx(expected)
    assert is_paid is bool(expected)


async def test_a_connection_that_broke_stands() -> None:
    """And one that never came about costs nothing."""
    booking = Booking()
    reserve = await booking.reserve()
    await booking.charges.refused(reserve, ModelTransient("cut", may_be_charged=True), 10)
    await booking.charges.refused(await booking.reserve(), ModelTransient("unsent"), 10)
    assert booking.store.ledger.reserved == [reserve]


async def test_another_api_s_answers_cost_nothing_until_a_model_is_there() -> None:
    """Then they may have been charged after all, and stand."""
    booking = Booking()
    first = await booking.body(OTHER)
    assert booking.store.ledger == Ledger()
    await booking.body(GOOD)
    assert booking.store.ledger.reserved == [first]
    later = await booking.body(OTHER)
    assert booking.store.ledger.reserved == [first, later]
    assert booking.store.ledger.cost_usd == pytest.approx(GOOD_USD)


async def test_an_endpoint_that_has_answered_an_earlier_attempt_is_one() -> None:
    """Its ledger knows what a token of the model costs."""
    booking = Booking(ledger=Ledger(rates=[Rate(model="m", usd_in=1e-6, usd_out=5e-6)]))
    reserve = await booking.body(OTHER)
    assert booking.store.ledger.reserved == [reserve]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["other", "good", "unread"]), max_size=8))
async def test_no_more_than_two_requests_are_ever_excused(kinds: list[str]) -> None:
    """Whatever comes in which order; and none once a model has answered."""
    booking, excusable, has_answered = Booking(), 0, False
    worst_usd, spent_usd = 0.0, 0.0
    for kind in kinds:
        if kind == "unread":
            reserve = await booking.reserve()
            spent_usd += reserve.cost_usd
            await booking.charges.refused(reserve, ModelTransient("cut", may_be_charged=True), 10)
            continue
        reserve = await booking.body(GOOD if kind == "good" else OTHER)
        has_answered = has_answered or kind == "good"
        excusable += kind == "other"
        spent_usd += GOOD_USD if kind == "good" else reserve.cost_usd
        worst_usd = max(worst_usd, reserve.cost_usd)
    excused_usd = 0 if has_answered else min(excusable, EXCUSED_MAX) * worst_usd
    assert booking.store.ledger.total_usd == pytest.approx(spent_usd - excused_usd)


FORMS = {**CLEAR, **COUNTED, **UNCLEAR}
SHARE = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(
    cap_usd=st.floats(0.01, 2.0),
    answers=st.lists(
        st.tuples(st.sampled_from(sorted(FORMS)), st.integers(150, 3000), SHARE, SHARE, SHARE, SHARE),
        max_size=12,
    ),
)
async def test_the_cap_holds_in_whatever_form_the_bills_come(
    cap_usd: float, answers: list[tuple[str, int, float, float, float, float]]
) -> None:
    """Every form in any order, of any length that its request allows: booked before it is beyond the cap."""
    guard = BudgetGuard(Budget(max_cost_usd=cap_usd), PRICE)
    charges, true_usd, true_tokens = Charges(guard, "x"), 0.0, 0
    for name, counted, of_prompt, of_answer, reasoning, cached in answers:
        try:
            reserve = await guard.reserve("m", PromptSize(counted), 8000, no_price)
        except BudgetUsed:
            break
        prompt = counted + int(of_prompt * (reserve.tokens_in - counted))
        answer = max(150, int(of_answer * reserve.tokens_out))
        truth = Truth(prompt, answer, int(reasoning * answer), int(cached * prompt), 0)
        charge = charges.of_body(reserve, json.loads(json.dumps(FORMS[name](truth))), counted)
        await charges.book(reserve, charge, PromptSize(counted))
        true_usd += truth.cost_usd
        true_tokens += prompt + answer
    assert true_usd <= cap_usd + 1e-9
    assert guard.ledger.total_usd >= true_usd - 1e-8
    assert guard.ledger.tokens >= true_tokens
