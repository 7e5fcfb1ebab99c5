"""Bodies of endpoints, good and malformed: the model's words are found in them, or one of our errors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.errors import AnswerInvalid, ModelError, ModelTransient
from gather_worker.llm.chat_completion import parse_body, read_completion, read_writer
from gather_worker.llm.salvage import read_answer
from gather_worker.schemas import DraftBatch

NOTE = {
    "content": "The keeper writes every lamp into the ledger.",
    "summary": "The ledger.",
    "context": "Why",
}
GOOD = json.dumps({"items": [NOTE] * 5})


def body(content: Any = GOOD, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    """Return a chat completion's body."""
    return {
        "choices": [{"finish_reason": finish, "message": {"role": "assistant", "content": content}}],
        **more,
    }


MALFORMED_BODIES: list[tuple[str, Any]] = [
    ("null", None),
    ("a list", []),
    ("a string", "ok"),
    ("a number", 7),
    ("an empty object", {}),
    ("choices null", {"choices": None}),
    ("choices empty", {"choices": []}),
    ("choices of the wrong type", {"choices": "none"}),
    ("a choice that is null", {"choices": [None]}),
    ("a choice without message", {"choices": [{"finish_reason": "stop"}]}),
    ("a message that is a string", {"choices": [{"message": "hi"}]}),
    ("content null", body(None)),
    ("content empty", body("")),
    ("content of space", body(" \n\t ")),
    ("content a number", body(5)),
    ("content an empty list", body([])),
    ("finish_reason error", body("", "error")),
    ("error inside 200", {"error": {"message": "Provider returned error", "code": 502}}),
    ("error as text", {"error": "overloaded"}),
    ("error with a code that is text", {"error": {"code": "rate_limited"}}),
    ("error inside the choice", {"choices": [{"error": {"code": 503}, "message": {"content": None}}]}),
    ("an empty list in a wrapper", {"object": "list", "data": []}),
    ("wrapped too deeply", {"data": {"data": {"data": {"data": {"data": {"data": {"response": GOOD}}}}}}}),
]


@pytest.mark.parametrize("wrong", [b for _, b in MALFORMED_BODIES], ids=[i for i, _ in MALFORMED_BODIES])
def test_a_malformed_body_is_an_error_of_ours(wrong: Any) -> None:
    """Never a crash, never an answer; all of these may pass by themselves."""
    with pytest.raises(ModelTransient):
        read_completion(wrong)


@pytest.mark.parametrize(
    "content",
    [b"", b"upstream failed", b"<html>", b'{"choices": [', b"\xff\xfe", b"[" * 100_000, b"1" * 5000],
    ids=["empty", "text", "html", "half", "not utf-8", "deep", "huge number"],
)
def test_a_body_that_is_not_json_is_transient(content: bytes) -> None:
    """A proxy's page, half a body."""
    with pytest.raises(ModelTransient):
        read_completion(parse_body(content))


def test_an_answer_in_parts_is_put_together() -> None:
    """Some gateways send content as a list of parts."""
    parts = [{"type": "text", "text": GOOD[:20]}, {"type": "text", "text": GOOD[20:]}]
    assert read_completion(body(parts)).text == GOOD


@pytest.mark.parametrize("named", [None, 7, "", "x" * 129, "a\nb"])
def test_a_writer_that_is_not_named_is_the_model_that_was_asked(named: Any) -> None:
    """An endpoint that routes names the model that wrote; anything but a name is no name."""
    assert read_writer({"model": named}, "asked/model") == "asked/model"
    assert read_writer({"model": "real/model"}, "asked/model") == "real/model"
    assert read_writer([{"provider": {"model": "real/model"}}], "asked/model") == "real/model"


def test_a_model_that_used_up_its_tokens_before_it_wrote_was_cut_off() -> None:
    """Sent again as it is, it would do so again; whether it was reasoning decides what to change."""
    usage = {"completion_tokens_details": {"reasoning_tokens": 8000}}
    reasoned = read_completion(body("", "length", usage=usage))
    assert (reasoned.is_cut_off, reasoned.has_reasoning) == (True, True)
    assert not read_completion(body("", "length")).has_reasoning


@pytest.mark.parametrize(
    "refused",
    [
        {"choices": [{"finish_reason": "stop", "message": {"content": None, "refusal": "I cannot."}}]},
        body("", "content_filter"),
        body("I cannot write about this.", "content_filter"),
        {"candidates": [{"finishReason": "SAFETY", "index": 0}]},
        {"candidates": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
        {"type": "message", "content": [], "stop_reason": "refusal"},
        {
            "status": "incomplete", "incomplete_details": {"reason": "content_filter"},
            "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}],
        },
    ],
    ids=["refusal", "filter", "filter with words", "Google", "Google's prompt", "Anthropic", "Responses"],
)  # fmt: skip
def test_a_refusal_is_an_answer_and_no_failure(refused: Any) -> None:
    """It is not asked six times."""
    completion = read_completion(refused)
    assert completion.is_filtered
    with pytest.raises(AnswerInvalid, match="refused"):
        read_answer(completion, DraftBatch)


PARTS = [{"type": "text", "text": GOOD[:50]}, {"type": "text", "text": GOOD[50:]}]
CALL = {"type": "function", "function": {"name": "generate", "arguments": GOOD}}
PLACES: dict[str, Any] = {
    "content": body(),
    "content in parts": body(PARTS),
    "content in texts": body([GOOD[:50], GOOD[50:]]),
    "content an object": body(json.loads(GOOD)),
    "content the list": body(json.loads(GOOD)["items"]),
    "a thinking part first": body(
        [{"type": "thinking", "thinking": [{"type": "text", "text": "{a"}]}, *PARTS]
    ),
    "a tool call": {"choices": [{"message": {"content": None, "tool_calls": [CALL]}}]},
    "a tool call with an object": {
        "choices": [{"message": {"tool_calls": [{"function": {"arguments": json.loads(GOOD)}}]}}]
    },
    "a function call": {"choices": [{"message": {"function_call": {"arguments": GOOD}}}]},
    "reasoning_content": {"choices": [{"message": {"content": None, "reasoning_content": GOOD}}]},
    "reasoning": {"choices": [{"message": {"content": "", "reasoning": GOOD}}]},
    "reasoning_details": {
        "choices": [{"message": {"reasoning_details": [{"type": "reasoning.text", "text": GOOD}]}}]
    },
    "reasoning beside words that hold nothing": {
        "choices": [{"message": {"content": "Here they are.", "reasoning": GOOD}}]
    },
    "parsed": {"choices": [{"message": {"content": None, "parsed": json.loads(GOOD)}}]},
    "text": {"choices": [{"text": GOOD, "finish_reason": "stop"}]},
    "a delta": {"choices": [{"delta": {"content": GOOD}}]},
    "the second choice": {"choices": [{"message": {"content": ""}}, {"message": {"content": GOOD}}]},
    "the second choice, behind words": {
        "choices": [{"message": {"content": "Sure!"}}, {"message": {"content": GOOD}}]
    },
    "Responses": {
        "text": {"format": {"type": "json_schema"}},
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Let me see."}]},
            {"type": "message", "content": [{"type": "output_text", "text": GOOD}]},
        ],
    },
    "a function call of Responses": {"output": [{"type": "function_call", "arguments": GOOD}]},
    "Anthropic": {"type": "message", "content": [{"type": "text", "text": GOOD}], "stop_reason": "end_turn"},
    "a tool of Anthropic": {"content": [{"type": "tool_use", "name": "n", "input": json.loads(GOOD)}]},
    "Google": {
        "candidates": [{"content": {"parts": [{"text": "{hm", "thought": True}, {"text": GOOD}]}}],
    },
    "Ollama": {"message": {"role": "assistant", "content": GOOD}, "done": True, "done_reason": "stop"},
    "Ollama generate": {"response": GOOD, "done": True},
    "Cohere": {"message": {"content": [{"type": "text", "text": GOOD}]}, "finish_reason": "COMPLETE"},
    "Amazon": {"output": {"message": {"content": [{"text": GOOD}]}}, "stopReason": "end_turn"},
    "Hugging Face": [{"generated_text": GOOD}],
    "llama.cpp": {"content": GOOD, "stop_type": "eos"},
    "Replicate": {"output": [GOOD[:50], GOOD[50:]], "status": "succeeded"},
    "Cloudflare": {"result": {"response": GOOD}, "success": True, "errors": []},
    "a provider's wrapper": {"provider": body()},
    "two wrappers": {"code": 0, "data": {"body": body()}},
    "a list of one": [body()],
    "an error beside it": body(error={"code": 500}),
    "finish_reason error behind it": body(GOOD, "error"),
    "a filter behind it": body(GOOD, "content_filter"),
}


@pytest.mark.parametrize("given", PLACES.values(), ids=PLACES.keys())
def test_the_words_are_found_wherever_a_provider_puts_them(given: Any) -> None:
    """The answer is whole, and was paid for."""
    assert len(read_answer(read_completion(given), DraftBatch).items) == 5


def test_what_went_wrong_counts_where_the_words_hold_too_little() -> None:
    """Half an answer before an error is a failure of the endpoint, not of the model."""
    with pytest.raises(ModelTransient, match="500"):
        read_answer(read_completion(body(GOOD[:300], error={"code": 500})), DraftBatch)
    with pytest.raises(ModelTransient, match="broke off"):
        read_answer(read_completion(body(GOOD[:300], "error")), DraftBatch)


@pytest.mark.parametrize(
    "reason",
    ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length", "max-tokens", "incomplete"],
)
def test_every_spelling_of_a_cut_is_known(reason: str) -> None:
    """OpenAI, Anthropic, Google, Responses, Mistral and servers of one's own."""
    assert read_completion(body("half", reason)).is_cut_off
    assert read_completion({"content": "half", "stop_reason": reason}).is_cut_off
    assert read_completion(
        {"candidates": [{"content": {"parts": [{"text": "half"}]}, "finishReason": reason}]}
    ).is_cut_off


@pytest.mark.parametrize(
    "reason", [None, "stop", "STOP", "eos_token", "tool_calls", "end_turn", 7, ["length"], {}]
)
def test_other_ends_are_none(reason: Any) -> None:
    """Whatever stands there."""
    completion = read_completion(body("words", reason))
    assert not (completion.is_cut_off)
    assert not (completion.is_filtered)
    assert not (completion.failure)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"finish_reason": "content_filter: PROHIBITED_CONTENT"}, "prohibited_content"),
        ({"finish_reason": "content_filter: something new"}, "content_filter"),
        ({"finish_reason": "function_call_filter: UNEXPECTED_TOOL_CALL"}, "unexpected_tool_call"),
        (
            {"finish_reason": "error", "native_finish_reason": "MALFORMED_FUNCTION_CALL"},
            "malformed_function_call",
        ),
        ({"finish_reason": "error", "native_finish_reason": "error"}, "error"),
        ({"finish_reason": "length", "native_finish_reason": "SAFETY"}, "length"),
        ({"finish_reason": "stop: at once"}, ""),
    ],
)
def test_a_reason_in_two_parts_or_two_places_is_read(said: dict[str, str], expected: str) -> None:
    """Google's compatible endpoint joins its own to OpenAI's, OpenRouter has it beside its own."""
    assert read_completion({"choices": [{"message": {"content": "words"}, **said}]}).reason == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(
            ["choices", "message", "content", "error", "code", "finish_reason", "parts", "reasoning",
             "output", "text", "candidates", "tool_calls", "function", "arguments", "data", "type"]
        ),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(json_values)
def test_no_body_crashes_the_reader(value: Any) -> None:
    """Our errors or a completion with some words, or the reason why there are none; nothing else."""
    try:
        found = read_completion(value)
    except ModelError:
        return
    said = (found.text, *found.others, *found.thoughts)
    assert any(map(str.strip, said)) or found.is_cut_off or found.is_filtered
