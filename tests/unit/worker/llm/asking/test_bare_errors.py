"""Errors of status 200 that stand in no `error`: told from answers, and from what other APIs say."""

import json
from typing import Any

import pytest

from gather_worker.errors import ModelRejected, ModelTransient
from gather_worker.llm.access.event_stream import read_body_json
from gather_worker.llm.asking.bare_errors import bare_error
from gather_worker.llm.asking.faults import Fault, fault_of
from gather_worker.llm.chat_completion import read_completion
from tests.support.model_cases.documented_bills import completion

MINIMAX: dict[str, Any] = {"id": "0", "choices": None, "usage": {"total_tokens": 0}}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"code": "rate_limit_daily", "message": "Error code: 429 - slow down"}, Fault.RATE),
        ({"message": "Too many requests, please wait before trying again."}, Fault.RATE),
        ({"status": "449", "msg": "You exceeded your current rate limit", "body": None}, Fault.RATE),
        ({"status": "435", "msg": "Model not support", "body": None}, Fault.MODEL),
        ({**MINIMAX, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, Fault.RATE),
        ({**MINIMAX, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, Fault.CREDIT),
        ({**MINIMAX, "base_resp": {"status_code": 1027, "status_msg": "output new_sensitive"}}, Fault.FILTER),
        ({"object": "error", "message": "The model is overloaded", "code": 50001}, Fault.RATE),
        ({"success": False, "errors": [{"code": 7000, "message": "no such model"}]}, Fault.MODEL),
        ({"code": 503, "message": "upstream is away", "data": None}, Fault.PASSING),
        ({"code": 500, "msg": "404 NOT_FOUND", "success": False}, Fault.ADDRESS),
        ({"code": 404, "message": "not found"}, Fault.ADDRESS),
    ],
)
def test_an_error_is_read_wherever_it_stands(body: dict[str, Any], fault: Fault) -> None:
    """In the words of gateways; what comes of it is the table's."""
    assert bare_error(body) is not None
    with pytest.raises((ModelRejected, ModelTransient)) as raised:
        read_completion(body)
    refusal = raised.value.refusal
    assert refusal is not None
    assert fault_of(refusal) is fault


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"message": "Welcome to the film archive"},
        {"status": "ok", "version": "1.2"},
        {"detail": "nothing here"},
        {"message": "unknown field: messages"},
        completion({}),
        {**completion({}), "base_resp": {"status_code": 0, "status_msg": ""}},
        {**completion({}), "code": 0, "message": "success"},
        {"code": 200, "message": "rate limit: 60 a minute", "data": completion({})},
        {"message": {"role": "assistant", "content": "too many requests"}, "done": True},
        {"content": [{"type": "text", "text": "Too many requests"}], "type": "message"},
    ],
)
def test_answers_and_other_apis_are_no_error(body: Any) -> None:
    """A gateway says success beside its answer; a wrong address says what it likes."""
    assert bare_error(body) is None


def test_an_error_of_that_form_ends_a_stream() -> None:
    """What came before it is kept."""
    events: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": "half an answer"}}]},
        {"code": 429, "message": "slow down"},
    ]
    body = read_body_json("".join(f"data: {json.dumps(event)}\n\n" for event in events).encode())
    found = read_completion(body)
    assert found.text == "half an answer"
    assert found.failure is not None
    assert found.failure.refusal is not None
    assert found.failure.refusal.status == 429
