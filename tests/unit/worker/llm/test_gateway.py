"""The gateway: retries in one layer, one re-ask, a ledger that forgets no attempt."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from gather_worker.attempt import Attempt
from gather_worker.errors import (
    AnswerInvalid,
    DeadlineNear,
    ModelUnavailable,
    Terminated,
)
from gather_worker.llm import circuit_breaker, gateway
from gather_worker.llm.asking import course
from gather_worker.llm.endpoint import BODY_MAX_BYTES
from gather_worker.llm.failures import ATTEMPTS_MAX, UNREACHED_MAX
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts.tokens import RATIO_MAX
from gather_worker.schemas import DraftBatch, QualityVerdict
from tests.support.scripted_model import PROMPT, VERDICT, client_of, reply, scripted_gateway

NewModel = Callable[..., Any]
NOTE = {"content": "The bells begin before the dark.", "summary": "Bells", "context": ""}
NOTES = json.dumps({"items": [NOTE] * 5})


pytestmark = pytest.mark.usefixtures("no_backoff")


async def test_a_good_answer_is_typed_and_charged(new_model: NewModel) -> None:
    """Tokens and cost from `usage`."""
    model = new_model(reply())
    asked = scripted_gateway(model)
    answer = await asked.ask("m/x", PROMPT, QualityVerdict)
    assert (answer.depth, answer.coherence, answer.actionability) == (1, 2, 3)
    spent = asked.ledger
    assert (spent.cost_usd, spent.tokens_in, spent.tokens_out, spent.requests) == (0.5, 10, 2, 1)
    assert spent.reserved == []


async def test_what_a_model_reports_corrects_our_count_of_it(new_model: NewModel) -> None:
    """Of that model alone; the schema counts too."""
    reported = {"choices": [{"message": {"content": VERDICT}}], "usage": {"prompt_tokens": 10_000}}
    asked = scripted_gateway(new_model(httpx.Response(200, json=reported)))
    assert asked.token_ratio("m/x") == 1
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert asked.token_ratio("m/x") == RATIO_MAX
    assert asked.token_ratio("m/y") == 1


async def test_an_answer_without_usage_corrects_nothing(new_model: NewModel) -> None:
    """What is then entered in the ledger is the worst, and not what was used."""
    silent = {"choices": [{"message": {"content": VERDICT}}]}
    asked = scripted_gateway(new_model(httpx.Response(200, json=silent)))
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert asked.token_ratio("m/x") == 1


async def test_the_request_asks_for_the_schema(new_model: NewModel) -> None:
    """Strict, named after the prompt, with bounds on the answer; nothing of OpenRouter's elsewhere."""
    model = new_model(reply())
    await scripted_gateway(model).ask("m/x", PROMPT, QualityVerdict)
    sent = model.body()
    assert sent["model"] == "m/x"
    assert sent["max_tokens"] == 100
    assert sent["response_format"]["json_schema"]["name"] == "judge"
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert "provider" not in sent
    assert "tools" not in sent


async def test_openrouter_is_asked_for_endpoints_that_honour_the_schema(new_model: NewModel) -> None:
    """Schema support is per endpoint there."""
    model = new_model(reply(), base_url="https://openrouter.ai/api/v1")
    await scripted_gateway(model).ask("m/x", PROMPT, QualityVerdict)
    assert model.body()["provider"] == {"require_parameters": True}


@pytest.mark.parametrize(
    "trouble",
    [
        reply(status=429),
        reply(status=500),
        reply(status=503, **{"Retry-After": "0.01"}),
        httpx.Response(200, json={"error": {"message": "Provider returned error", "code": 502}}),
        httpx.Response(200, json={"choices": None}),
        httpx.Response(200, content=b"upstream failed"),
        reply(""),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=["429", "500", "503", "error in 200", "choices null", "no JSON", "empty", "refused", "slow", "cut"],
)
async def test_what_may_pass_is_tried_again(new_model: NewModel, trouble: Any) -> None:
    """And each attempt is counted."""
    asked = scripted_gateway(new_model(trouble, reply()))
    assert (await asked.ask("m/x", PROMPT, QualityVerdict)).depth == 1
    assert asked.ledger.requests + len(asked.ledger.reserved) == 2


async def test_retry_after_is_obeyed(new_model: NewModel, waits: list[float]) -> None:
    """At least as long as the server asked for, and hardly longer."""
    asked = scripted_gateway(new_model(reply(status=429, **{"Retry-After": "0.3"}), reply()))
    started = time.monotonic()
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert time.monotonic() - started >= 0.3
    assert len(waits) == 1
    assert 0.3 <= waits[0] <= 0.3 + gateway.RETRY_AFTER_EXTRA_S


async def test_a_wait_beyond_the_deadline_is_not_begun(new_model: NewModel, waits: list[float]) -> None:
    """A later attempt of the department asks again; this one does not sleep into its end."""
    asked = scripted_gateway(new_model(reply(status=429, **{"Retry-After": "300"})), duration_s=30)
    with pytest.raises(ModelUnavailable):
        await asked.ask("m/x", PROMPT, QualityVerdict)
    assert waits == []


async def test_retries_are_one_layer_and_bounded(new_model: NewModel) -> None:
    """The client below adds none of its own."""
    model = new_model(*[reply(status=503)] * ATTEMPTS_MAX)
    with pytest.raises(ModelUnavailable):
        await scripted_gateway(model).ask("m/x", PROMPT, QualityVerdict)
    assert len(model.requests) == ATTEMPTS_MAX


async def test_an_endpoint_that_has_answered_is_waited_for_while_it_takes_no_connection(
    new_model: NewModel,
) -> None:
    """As a server needs that loads its model again; one that never answered is not worth it."""
    refused = httpx.ConnectError("refused")
    model = new_model(reply(), *[refused] * (UNREACHED_MAX - 1), reply(NOTES))
    asked = scripted_gateway(model, duration_s=3600)
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert (await asked.ask("m/x", PROMPT, DraftBatch)).items
    assert len(model.requests) == 1 + UNREACHED_MAX
    never = new_model(*[refused] * ATTEMPTS_MAX)
    with pytest.raises(ModelUnavailable, match="nothing answers"):
        await scripted_gateway(never, duration_s=3600).ask("m/x", PROMPT, QualityVerdict)
    assert len(never.requests) == ATTEMPTS_MAX


async def test_a_verdict_is_done_without_where_no_connection_comes_about(
    new_model: NewModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its time is over, however many tries notes would have."""
    model = new_model(reply(), httpx.ConnectError("refused"))
    asked = scripted_gateway(model, duration_s=3600)
    await asked.ask("m/x", PROMPT, QualityVerdict)
    monkeypatch.setattr(course, "UNREACHED_VERDICT_S", 0.0)
    with pytest.raises(ModelUnavailable, match="nothing answers"):
        await asked.ask("m/x", PROMPT, QualityVerdict)
    assert len(model.requests) == 2


async def test_an_invalid_answer_is_asked_for_once_more_with_the_reason(new_model: NewModel) -> None:
    """The model sees its answer and what was wrong with it; both answers are paid for."""
    model = new_model(reply('{"depth": 1}'), reply())
    asked = scripted_gateway(model)
    await asked.ask("m/x", PROMPT, QualityVerdict)
    messages = model.body()["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "coherence" in messages[-1]["content"]
    assert asked.ledger.cost_usd == 1.0


async def test_a_second_invalid_answer_is_a_clear_failure(new_model: NewModel) -> None:
    """No third question."""
    with pytest.raises(AnswerInvalid):
        await scripted_gateway(new_model(reply("no"), reply("no"))).ask("m/x", PROMPT, QualityVerdict)


async def test_a_cut_off_answer_is_asked_for_once_more(new_model: NewModel) -> None:
    """With the advice to write less."""
    choice = {"finish_reason": "length", "message": {"content": VERDICT}}
    model = new_model(httpx.Response(200, json={"choices": [choice]}), reply())
    await scripted_gateway(model).ask("m/x", PROMPT, QualityVerdict)
    assert "write less" in model.body()["messages"][-1]["content"]


async def test_an_endless_body_is_not_read_to_its_end(new_model: NewModel) -> None:
    """Memory is bounded, whatever an endpoint sends."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10 * BODY_MAX_BYTES:
            sent += 2**20
            yield b" " * 2**20

    asked = scripted_gateway(new_model(httpx.Response(200, content=endless()), reply()))
    assert (await asked.ask("m/x", PROMPT, QualityVerdict)).depth == 1
    assert sent <= BODY_MAX_BYTES + 2 * 2**20


async def test_a_body_that_drips_is_cut_off_in_time(new_model: NewModel) -> None:
    """A client's own timeout starts again with every byte."""

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.02)

    asked = scripted_gateway(new_model(httpx.Response(200, content=dripping()), reply()), timeout_s=0.3)
    assert (await asked.ask("m/x", PROMPT, QualityVerdict)).depth == 1
    assert len(asked.ledger.reserved) == 1


# --- the fallback and the breaker


async def test_the_fallback_stands_in_for_a_model_that_fails(new_model: NewModel) -> None:
    """After three failures in a row; the endpoint names who wrote."""
    ours = {"choices": [{"finish_reason": "stop", "message": {"content": VERDICT}}], "model": "f/real"}
    model = new_model(
        *[reply(status=503)] * circuit_breaker.FAILURES_MAX, httpx.Response(200, json=ours), reply()
    )
    asked = scripted_gateway(model, fallbacks=("f/y",))
    signed = await asked.ask_signed("m/x", PROMPT, QualityVerdict)
    assert [model.body(n)["model"] for n in range(4)] == ["m/x", "m/x", "m/x", "f/y"]
    assert signed.writer == "f/real"
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert model.body()["model"] == "f/y"


async def test_a_long_retry_after_goes_to_the_fallback_at_once(new_model: NewModel) -> None:
    """Without one the attempt would end."""
    model = new_model(reply(status=429, **{"Retry-After": "300"}), reply())
    await scripted_gateway(model, duration_s=30, fallbacks=("f/y",)).ask("m/x", PROMPT, QualityVerdict)
    assert model.body()["model"] == "f/y"


async def test_a_refused_fallback_is_given_up(new_model: NewModel) -> None:
    """A wrong name there must not end a department whose own model is right."""
    refusals = [httpx.Response(404, json={"error": {"message": "No endpoints found for f/y."}})] * 2
    model = new_model(*[reply(status=503)] * circuit_breaker.FAILURES_MAX, *refusals, reply())
    signed = await scripted_gateway(model, fallbacks=("f/y",)).ask_signed("m/x", PROMPT, QualityVerdict)
    assert (model.body()["model"], signed.writer) == ("m/x", "m/x")


async def test_an_open_breaker_is_not_waited_for_beyond_the_deadline(new_model: NewModel) -> None:
    """The next question fails at once: a later attempt asks again."""
    asked = scripted_gateway(new_model(*[reply(status=503)] * ATTEMPTS_MAX), duration_s=20)
    with pytest.raises(ModelUnavailable):
        await asked.ask("m/x", PROMPT, QualityVerdict)
    with pytest.raises(ModelUnavailable, match="too often"):
        await asked.ask("m/x", PROMPT, QualityVerdict)


@pytest.mark.parametrize("way", ["terminate", "deadline"])
async def test_a_call_in_flight_is_broken_off(way: str) -> None:
    """SIGTERM and the deadline do not wait for the model, which never answers."""

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    attempt = Attempt(60 if way == "terminate" else 0.2)
    asked = ModelGateway(client_of(never), attempt, timeout_s=3600, max_tokens=100)
    if way == "terminate":
        asyncio.get_running_loop().call_later(0.05, attempt.terminate)
    # A request's own limit and the deadline fall together; either way the attempt is over.
    with pytest.raises(Terminated if way == "terminate" else (DeadlineNear, ModelUnavailable)):
        async with asyncio.timeout(50):
            await asked.ask("m/x", PROMPT, QualityVerdict)


async def test_a_judge_that_never_answers_in_shape_is_not_paid_to_the_end(new_model: NewModel) -> None:
    """After three questions in a row no more of the kind is asked; one good answer begins the count again."""
    model = new_model(*[reply("nothing of use")] * 4, reply(), *[reply("nothing of use")] * 6)
    asked = scripted_gateway(model)
    for is_good in (False, False, True, False, False, False):
        if is_good:
            await asked.ask("m/x", PROMPT, QualityVerdict)
            continue
        with pytest.raises(AnswerInvalid):
            await asked.ask("m/x", PROMPT, QualityVerdict)
    paid = len(model.requests)
    with pytest.raises(AnswerInvalid, match="3 times in a row"):
        await asked.ask("m/x", PROMPT, QualityVerdict)
    assert len(model.requests) == paid == asked.ledger.requests == 11
