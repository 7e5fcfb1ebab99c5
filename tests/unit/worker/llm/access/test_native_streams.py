"""Streams in the forms of providers, which gateways pass on: each is read as the answer that it makes."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.errors import ModelError
from gather_worker.llm.access.event_stream import read_body_json
from gather_worker.llm.access.native_streams import as_chunk
from gather_worker.llm.billing.usage_forms import read_bill
from gather_worker.llm.chat_completion import read_completion

ONE, TWO = '{"items": [', "]}"
BEGUN: Final = {"type": "message_start", "message": {"model": "c", "content": [],
                "usage": {"input_tokens": 7, "output_tokens": 1}}}  # fmt: skip


def delta_of_anthropic(**delta: Any) -> dict[str, Any]:
    """Return an event with a piece of a block."""
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def of_google(text: str, **more: Any) -> dict[str, Any]:
    """Return a chunk of Google's."""
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text, **more}]}}]}


def of_responses(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an event of the Responses API."""
    return {"type": f"response.{kind}", **fields}


def done(**response: Any) -> dict[str, Any]:
    """Return its last one."""
    usage = {"input_tokens": 7, "output_tokens": 9}
    return of_responses("completed", response={"status": "completed", "usage": usage, **response})


ENDED: Final = {"promptTokenCount": 7, "candidatesTokenCount": 9, "totalTokenCount": 16}
STREAMS: Final[dict[str, Sequence[dict[str, Any]]]] = {
    "Anthropic": [
        BEGUN,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        delta_of_anthropic(type="text_delta", text=ONE),
        delta_of_anthropic(type="text_delta", text=TWO),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ],
    "a tool of Anthropic": [
        BEGUN,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "input": {}}},
        delta_of_anthropic(type="input_json_delta", partial_json=ONE),
        delta_of_anthropic(type="input_json_delta", partial_json=TWO),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    ],
    "Google": [
        of_google("hm", thought=True), of_google(ONE), {**of_google(TWO), "usageMetadata": ENDED},
    ],
    "a call of Google": [
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "n", "args": {"items": []}}}]}}]},
        {"candidates": [{"finishReason": "STOP"}], "usageMetadata": ENDED},
    ],
    "Responses": [
        of_responses("created", response={"status": "in_progress", "output": []}),
        of_responses("reasoning_summary_text.delta", delta="hm"),
        of_responses("output_text.delta", delta=ONE), of_responses("output_text.delta", delta=TWO),
        done(output=[{"type": "message", "content": [{"type": "output_text", "text": ONE + TWO}]}]),
    ],
    "Responses, without the whole (mnfst/llm-gateway 2064)": [
        of_responses("output_text.delta", delta=ONE), of_responses("output_text.delta", delta=TWO),
        done(output=[]),
    ],
    "Responses, without pieces (Sophomoresty/gemini-web2api 57)": [
        of_responses("created", response={}), of_responses("output_text.done", text=ONE + TWO),
        done(output=[]),
    ],
    "a call of Responses": [
        of_responses("function_call_arguments.delta", delta=ONE, output_index=1),
        of_responses("function_call_arguments.delta", delta=TWO, output_index=1),
        done(output=[{"type": "function_call", "arguments": ONE + TWO}]),
    ],
    "completions (ikawrakow/ik_llama.cpp 767)": [
        {"object": "text_completion", "choices": [{"index": 0, "text": ONE, "finish_reason": None}]},
        {"choices": [{"index": 0, "text": TWO, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9}},
    ],
    "Cohere": [
        {"type": "message-start", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": ONE}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": TWO}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE",
         "usage": {"tokens": {"input_tokens": 7, "output_tokens": 9}}}},
    ],
    "Ollama, /api/generate": [
        {"response": "", "thinking": "hm", "done": False}, {"response": ONE, "done": False},
        {"response": TWO, "done": True, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 9},
    ],
    "llama.cpp, /completion": [
        {"content": ONE, "stop": False}, {"content": TWO, "stop": False},
        {"content": "", "stop": True, "stop_type": "eos", "tokens_evaluated": 7, "tokens_predicted": 9},
    ],
}  # fmt: skip


def sent(events: Sequence[Any]) -> Any:
    """Return the body that a stream of these makes."""
    return read_body_json("".join(f"data: {json.dumps(event)}\n\n" for event in events).encode())


@pytest.mark.parametrize("events", STREAMS.values(), ids=STREAMS)
def test_a_stream_makes_its_answer(events: Sequence[dict[str, Any]]) -> None:
    """All of its words in their order, no thought among them, and what it cost."""
    body = sent(events)
    found = read_completion(body)
    assert json.loads(found.text) == {"items": []}
    assert (found.failure, found.is_cut_off) == (None, False)
    bill = read_bill(body)
    assert (bill.tokens_in, bill.tokens_out) == (7, 9)


def test_a_list_of_chunks_is_a_stream() -> None:
    """Google's, unless it is asked for events; other lists are left as they are."""
    events = STREAMS["Google"]
    assert read_body_json(json.dumps(events).encode()) == sent(events)
    for others in ([{"generated_text": "a"}], [{"error": {"code": 429}}], [events[0]], [], [1, 2]):
        assert read_body_json(json.dumps(others).encode()) == others


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([BEGUN, delta_of_anthropic(text=ONE),
          {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}], "max_tokens"),
        ([of_google(ONE), {"candidates": [{"finishReason": "SAFETY"}]}], "safety"),
        ([of_responses("output_text.delta", delta=ONE),
          of_responses("incomplete", response={"status": "incomplete",
                       "incomplete_details": {"reason": "max_output_tokens"}})], "max_output_tokens"),
    ],
)  # fmt: skip
def test_how_it_ended_is_read(events: Sequence[dict[str, Any]], reason: str) -> None:
    """Cut off, or filtered."""
    assert read_completion(sent(events)).reason == reason


def test_an_error_in_the_middle_keeps_what_came_before() -> None:
    """As in any stream."""
    broken = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    found = read_completion(sent([BEGUN, delta_of_anthropic(text=ONE), broken]))
    assert found.text == ONE
    assert "Overloaded" in str(found.failure)


NAMES: Final = (
    "type", "choices", "candidates", "delta", "message", "content", "parts", "text", "functionCall", "args",
    "response", "done", "stop", "output", "usage", "index", "content_block", "arguments",
)  # fmt: skip
KINDS: Final = [event["type"] for events in STREAMS.values() for event in events if "type" in event]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=15,
)


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=5), min_size=2, max_size=4))
def test_no_events_crash_the_reader(events: list[dict[str, Any]]) -> None:
    """Whatever stands where: a body, of which our errors say what is wrong."""
    for event in events:
        as_chunk(event)
    try:
        read_completion(sent(events))
    except ModelError:
        return
    except ValueError:
        assert not any(events)
