"""The gateway after refusals and unusable answers: other forms, fallback models, a bound on what is paid."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest

from gather_worker.errors import AnswerInvalid, ModelRejected, ModelUnavailable
from gather_worker.llm import gateway
from gather_worker.llm.asking.course import PAID_FOR_VERDICT_MAX, PAID_MAX, is_unenforced
from gather_worker.llm.budget import InMemoryLedgerStore
from gather_worker.llm.preferences import ModelPreferences, ProviderPreferences
from gather_worker.schemas import DraftBatch, QualityVerdict, json_schema
from tests.support.scripted_model import PROMPT, VERDICT, reply, scripted_gateway

NewModel = Callable[..., Any]


pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.mark.parametrize(
    ("status", "requests", "is_request_fault"),
    [(400, 5, True), (404, 3, True), (301, 2, True), (401, 2, False), (403, 2, False), (402, 1, False)],
)
async def test_a_lasting_refusal_ends(
    new_model: NewModel, status: int, requests: int, *, is_request_fault: bool
) -> None:
    """Sent again, and where that may help in every other form, it was refused again; nothing is charged."""
    model = new_model(*[reply(status=status)] * requests)
    asked = scripted_gateway(model)
    with pytest.raises(ModelRejected, match="m/x") as caught:
        await asked.ask("m/x", PROMPT, QualityVerdict)
    assert caught.value.is_request_fault is is_request_fault
    assert (len(model.requests), asked.ledger.total_usd) == (requests, 0)


def refused(status: int, message: str, **error: Any) -> httpx.Response:
    """Return an error with its words."""
    return httpx.Response(status, json={"error": {"message": message, **error}})


PASSING = [
    reply(status=400),
    reply(status=404),
    httpx.Response(200, json={"error": {"message": "Provider returned error", "code": 400}}),
    refused(403, "Forbidden"),
    refused(401, "No auth credentials found"),
    httpx.Response(200, content=b"<html><title>One moment</title></html>"),
]


@pytest.mark.parametrize("trouble", PASSING, ids=["400", "404", "400 in 200", "403", "401", "page"])
async def test_one_refusal_that_passes_ends_nothing(new_model: NewModel, trouble: Any) -> None:
    """The same request is sent again, and answered."""
    model = new_model(trouble, reply())
    await scripted_gateway(model).ask("m/x", PROMPT, QualityVerdict)
    assert model.body(0) == model.body(1)


FORMS: list[tuple[str, httpx.Response, dict[str, Any], list[str]]] = [
    ("json_object", refused(400, "This response_format type is unavailable now"),
     {"response_format": {"type": "json_object"}}, []),
    ("max_completion_tokens", refused(400, "Unsupported parameter: 'max_tokens' is not supported with "
     "this model. Use 'max_completion_tokens' instead.", code="unsupported_parameter"),
     {"max_completion_tokens": 2500}, ["max_tokens"]),
    ("limit", refused(400, "max_tokens is too large: 2500. This model supports at most 1200 completion "
     "tokens"),
     {"max_tokens": 1200}, []),
    ("limit in 200", httpx.Response(200, json={"error": {
        "code": 400, "message": "`max_tokens` must be less than or equal to `1100`"}}),
     {"max_tokens": 1100}, []),
    ("credit", refused(402, "This request requires more credits, or fewer max_tokens. You requested up to "
     "2500 tokens, but can only afford 1030."), {"max_tokens": 1030}, []),
    ("parameters", refused(404, "No endpoints found that can handle the requested parameters."),
     {"response_format": {"type": "json_schema"}}, ["provider"]),
    ("usage", refused(422, "Extra inputs are not permitted", param="usage"), {}, ["usage"]),
]  # fmt: skip


@pytest.mark.parametrize(("trouble", "has", "lacks"), [f[1:] for f in FORMS], ids=[f[0] for f in FORMS])
async def test_a_refused_form_is_left_at_once(
    new_model: NewModel, trouble: httpx.Response, has: dict[str, Any], lacks: list[str]
) -> None:
    """By the error's words."""
    model = new_model(trouble, reply(), base_url="https://openrouter.ai/api/v1")
    await scripted_gateway(model, max_tokens=8000).ask("m/x", PROMPT, QualityVerdict)
    sent = model.body()
    for name, value in has.items():
        assert sent[name] == value if not isinstance(value, dict) else sent[name]["type"] == value["type"]
    assert [name for name in lacks if name in sent] == []


async def test_a_learned_form_goes_with_the_ledger(new_model: NewModel) -> None:
    """The next question, and the next process of the run, are asked in it at once."""
    store = InMemoryLedgerStore()
    words = "'response_format.type' of json_schema is not supported"
    for replies in ((refused(400, words), reply(), reply()), (reply(),)):
        model = new_model(*replies)
        asked = scripted_gateway(model)
        asked.save_ledger_in(store)
        for _ in replies[1:] or (1,):
            await asked.ask("m/x", PROMPT, QualityVerdict)
        assert model.body()["response_format"] == {"type": "json_object"}


async def test_room_in_one_prompts_context_is_no_limit_of_the_model(new_model: NewModel) -> None:
    """Nor is what today's credit affords; the next question may be longer."""
    words = "maximum context length is 2000 tokens. However, you requested 3300 tokens (800 in the messages)"
    model = new_model(refused(400, words, code="context_length_exceeded"), reply(), reply())
    asked = scripted_gateway(model, max_tokens=8000)
    for _ in range(2):
        await asked.ask("m/x", PROMPT, QualityVerdict)
    assert [model.body(number)["max_tokens"] for number in range(3)] == [2500, 1136, 2500]
    assert asked.learned_form("m/x") == ""


async def test_a_server_that_breaks_in_every_form_is_no_misconfiguration(new_model: NewModel) -> None:
    """Other forms are tried, and then it is as any other server's trouble; the run keeps no form of it."""
    model = new_model(*[refused(500, "failed to parse grammar of the response_format")] * 8)
    asked = scripted_gateway(model)
    with pytest.raises(ModelUnavailable, match="grammar"):
        await asked.ask("m/x", PROMPT, QualityVerdict)
    kinds = [model.body(number).get("response_format", {}).get("type") for number in range(8)]
    assert kinds == ["json_schema", "json_object", *[None] * 6]
    assert asked.learned_form("m/x") == ""


async def test_a_model_that_wrote_nothing_of_use_is_asked_again_later_though_its_fallback_is_refused(
    new_model: NewModel,
) -> None:
    """Its own answers do not end the department for good."""
    gone = refused(404, "No endpoints found for f/y.")
    model = new_model(reply("no"), reply("no"), gone, gone)
    with pytest.raises(ModelUnavailable, match="m/x"):
        await scripted_gateway(model, fallbacks=("f/y",)).ask("m/x", PROMPT, DraftBatch)


SURE = "Sure! A verdict: the notes are deep."
REFUSES_OBJECTS = refused(400, "'response_format.type' must be 'json_schema' or 'text'")
VERDICT_OF_NULLS = json.dumps(dict.fromkeys(json_schema(QualityVerdict)["required"]))
SHAPES: dict[str, tuple[list[Any], list[str], str]] = {
    "ignored": ([SURE, VERDICT, SURE, VERDICT, VERDICT],
     ["schema", "object", "schema", "object", "object"], "json_object"),
    "ignored, and objects too": ([SURE, SURE, VERDICT], ["schema", "object", "object"], "json_object"),
    "ignored once": ([SURE, VERDICT, VERDICT, SURE, VERDICT],
     ["schema", "object", "schema", "schema", "schema"], ""),
    "ignored once after good ones": ([VERDICT, SURE, VERDICT], ["schema"] * 3, ""),
    "ignored, and objects refused": ([SURE, REFUSES_OBJECTS, VERDICT, VERDICT],
     ["schema", "object", "schema", "schema"], ""),
    "kept, and of no use": ([VERDICT_OF_NULLS, VERDICT],
     ["schema", "schema"], ""),
    "an empty answer": (["", VERDICT], ["schema", "schema"], ""),
}  # fmt: skip
"""Replies, in which shape each is asked for, and what is learned for the run."""


@pytest.mark.parametrize(("replies", "shapes", "learned"), SHAPES.values(), ids=SHAPES.keys())
async def test_an_ignored_shape_is_asked_for_in_another_way(
    new_model: NewModel, replies: list[Any], shapes: list[str], learned: str
) -> None:
    """From the first answer that shows it on for the question, after two for the run; one is chance."""
    model = new_model(*[each if isinstance(each, httpx.Response) else reply(each) for each in replies])
    asked = scripted_gateway(model)
    while model.replies:
        with suppress(AnswerInvalid):
            await asked.ask("m/x", PROMPT, QualityVerdict)
    sent = [model.body(n)["response_format"]["type"].removeprefix("json_") for n in range(len(replies))]
    assert sent == shapes
    assert json.loads(asked.learned_form("m/x") or "{}").get("shape", "") == learned


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("Sure!", True),
        ('```json\n{"items": []}\n```', True),
        ('[{"content": "c"}]', True),
        ('{"notes": []}', True),
        ("[" * 100_000, True),
        ('{"items": []}', False),
        (' {"items": [{"content": "c"}], "more": 1}\n', False),
        ("", False),
    ],
)
def test_only_an_answer_in_another_form_shows_that_a_schema_is_not_enforced(
    text: str, *, is_shown: bool
) -> None:
    """What is of no use in the right form may be enforced all the same."""
    assert is_unenforced(text, ["items"]) is is_shown


async def test_what_keeps_a_script_confidential_is_never_left_out(new_model: NewModel) -> None:
    """Though nothing is answered then; and the error names the setting."""
    words = "No endpoints found matching your data policy. Configure: https://openrouter.ai/settings/privacy"
    model = new_model(*[refused(404, words)] * 3, base_url="https://openrouter.ai/api/v1")
    wishes = ModelPreferences(provider=ProviderPreferences(data_collection="deny", zdr=True))
    with pytest.raises(ModelRejected, match="GATHER_LLM_PROVIDER"):
        await scripted_gateway(model, preferences=wishes).ask("m/x", PROMPT, QualityVerdict)
    wanted = {"data_collection": "deny", "zdr": True}
    ours = {"require_parameters": True, **wanted}
    assert [model.body(number)["provider"] for number in range(3)] == [ours, ours, wanted]


async def test_an_empty_message_is_never_sent(new_model: NewModel) -> None:
    """Providers refuse it, which ended departments."""
    model = new_model(cut_off(""), reply())
    await scripted_gateway(model).ask("m/x", PROMPT, QualityVerdict)
    assert all(message["content"] for message in model.body()["messages"])


def cut_off(text: str, **message: Any) -> httpx.Response:
    """Return an answer that ended at its limit."""
    choice = {"finish_reason": "length", "message": {"content": text, **message}}
    usage = {"prompt_tokens": 10, "completion_tokens": 2500, "cost": 0.1}
    return httpx.Response(200, json={"choices": [choice], "usage": usage})


async def test_reasoning_that_used_up_the_tokens_gets_room_and_then_less_of_it(new_model: NewModel) -> None:
    """And the next question has room for it from the beginning."""
    thinking = cut_off("", reasoning="Let me think.")
    model = new_model(thinking, thinking, reply(), base_url="https://openrouter.ai/api/v1")
    asked = scripted_gateway(model, max_tokens=12_000)
    with pytest.raises(AnswerInvalid, match="GATHER_LLM_REASONING_EFFORT"):
        await asked.ask("m/x", PROMPT, QualityVerdict)
    assert [model.body(number)["max_tokens"] for number in range(2)] == [2500, 10_000]
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert model.body()["max_tokens"] == 2500


async def test_one_question_has_a_bound_of_paid_requests(new_model: NewModel) -> None:
    """Empty answers cost money too."""
    for replies in ([reply("")] * PAID_FOR_VERDICT_MAX, [reply("no")] * PAID_FOR_VERDICT_MAX):
        with pytest.raises((AnswerInvalid, ModelUnavailable)):
            await scripted_gateway(new_model(*replies)).ask("m/x", PROMPT, QualityVerdict)
    with pytest.raises(AnswerInvalid):
        await scripted_gateway(new_model(*[reply("no")] * PAID_MAX)).ask("m/x", PROMPT, DraftBatch)


async def test_a_retry_after_of_zero_keeps_our_own_wait(new_model: NewModel, waits: list[float]) -> None:
    """Six tries within a second would help nobody."""
    model = new_model(*[reply(status=429, **{"Retry-After": "0"})] * 5, reply())
    await scripted_gateway(model).ask("m/x", PROMPT, QualityVerdict)
    assert waits == sorted(waits)
    assert min(waits) >= gateway.BACKOFF.first_s


async def test_fallback_models_are_asked_in_their_order(new_model: NewModel) -> None:
    """Also where the model is refused; each has its own form, and who wrote is named."""
    gone = refused(404, "No endpoints found for m/x.")
    model = new_model(gone, gone, refused(403, "Your input was flagged"), refused(403, "flagged"), reply())
    asked = scripted_gateway(model, fallbacks=("f/y", "f/z"))
    signed = await asked.ask_signed("m/x", PROMPT, QualityVerdict)
    assert [model.body(number)["model"] for number in range(5)] == ["m/x", "m/x", "f/y", "f/y", "f/z"]
    assert signed.writer == "f/z"


@pytest.mark.parametrize("answer", [DraftBatch, QualityVerdict])
async def test_the_last_request_that_may_be_paid_is_a_fallback_models(
    new_model: NewModel, answer: type[DraftBatch] | type[QualityVerdict]
) -> None:
    """A model that is slower than the limit of time is charged each time, and would use them all up."""
    paid_max = PAID_MAX if answer is DraftBatch else PAID_FOR_VERDICT_MAX
    model = new_model(*[httpx.ReadTimeout("slow")] * paid_max)
    with pytest.raises(ModelUnavailable, match=r"m/x.*GATHER_LLM_TIMEOUT_S"):
        await scripted_gateway(model, fallbacks=("f/y",)).ask("m/x", PROMPT, answer)
    asked = [model.body(number)["model"] for number in range(paid_max)]
    assert asked == [*["m/x"] * (paid_max - 1), "f/y"]
