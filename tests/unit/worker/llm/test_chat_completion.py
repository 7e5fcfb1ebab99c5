"""Answers of the model, good and malformed: each ends as a typed answer or as one of our errors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.errors import AnswerInvalid, ModelError, ModelRejected, ModelTransient
from gather_worker.llm.bill import read_usage
from gather_worker.llm.chat_completion import Completion, parse_body, read_completion, read_writer
from gather_worker.llm.failures import error_of_status
from gather_worker.llm.ledger import Usage
from gather_worker.llm.salvage import read_answer
from gather_worker.schemas import DraftBatch, PairVerdicts, QualityVerdict, json_schema

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


def notes(*changes: dict[str, Any], count: int = 5) -> str:
    """Return an answer of notes, the first ones changed."""
    items = [{**NOTE, **(changes[i] if i < len(changes) else {})} for i in range(count)]
    return json.dumps({"items": items})


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
    ("content an object", body({"items": []})),
    ("content an empty list", body([])),
    ("finish_reason error", body("", "error")),
    ("finish_reason error with text", body(GOOD, "error")),
    ("content filter", body(GOOD, "content_filter")),
    ("error inside 200", {"error": {"message": "Provider returned error", "code": 502}}),
    ("error inside 200 with choices", body(error={"code": 500})),
    ("error as text", {"error": "overloaded"}),
    ("error with a code that is text", {"error": {"code": "rate_limited"}}),
    ("error inside the choice", {"choices": [{"error": {"code": 503}, "message": {"content": GOOD}}]}),
]

MALFORMED_ANSWERS: list[tuple[str, str]] = [
    ("prose", "Here are your notes!"),
    ("half a JSON", GOOD[: len(GOOD) // 2]),
    ("half a JSON after a sentence", f"Here is the JSON:\n{GOOD[: len(GOOD) // 2]}"),
    ("an empty object", "{}"),
    ("another object", '{"unasked": true}'),
    ("a bare list", json.dumps([NOTE] * 5)),
    ("items null", '{"items": null}'),
    ("items a string", '{"items": "none"}'),
    ("too few items", notes(count=4)),
    ("too many items", notes(count=11)),
    ("an item that is null", json.dumps({"items": [None] * 5})),
    ("an item that is a string", json.dumps({"items": ["note"] * 5})),
    ("content missing", json.dumps({"items": [{"summary": "s", "context": "c"}] * 5})),
    ("content too short", notes({"content": "..."})),
    ("content of control characters", notes({"content": "\u0000\u0001" * 50})),
    ("content of space", notes({"content": " " * 100})),
    ("content too long", notes({"content": "x" * 8001})),
    ("content a number", notes({"content": 12345678901234567890})),
    ("summary empty", notes({"summary": ""})),
    ("summary too long", notes({"summary": "x" * 501})),
    ("context too long", notes({"context": "x" * 2001})),
    ("context missing", json.dumps({"items": [{"content": NOTE["content"], "summary": "s"}] * 5})),
    ("deeply nested", '{"items": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    ("single quotes", "{'items': []}"),
    ("a trailing comma", '{"items": [],}'),
    ("two objects", f"{GOOD}\n{GOOD}"),
    ("braces the wrong way", "} no {"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", [b for _, b in MALFORMED_BODIES], ids=[i for i, _ in MALFORMED_BODIES])
def test_a_malformed_body_is_an_error_of_ours(wrong: Any) -> None:
    """Never a crash, never an answer; all of these may pass by themselves."""
    with pytest.raises(ModelTransient):
        read_completion(wrong)


@pytest.mark.parametrize("wrong", [a for _, a in MALFORMED_ANSWERS], ids=[i for i, _ in MALFORMED_ANSWERS])
def test_a_malformed_answer_is_invalid(wrong: str) -> None:
    """With words for the model, and without the answer's own text in them."""
    with pytest.raises(AnswerInvalid) as caught:
        read_answer(Completion(wrong, is_cut_off=False), DraftBatch)
    assert 0 < len(str(caught.value)) < 1000
    assert "keeper" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"upstream failed", b"<html>", b'{"choices": [', b"\xff\xfe", b"[" * 100_000, b"1" * 5000],
    ids=["empty", "text", "html", "half", "not utf-8", "deep", "huge number"],
)
def test_a_body_that_is_not_json_is_transient(content: bytes) -> None:
    """A proxy's page, half a body."""
    with pytest.raises(ModelTransient):
        read_completion(parse_body(content))


@pytest.mark.parametrize(
    "text",
    [GOOD, f"```json\n{GOOD}\n```", f"Here you are:\n{GOOD}\nEnjoy!", f"\ufeff{GOOD}"],
    ids=["plain", "fenced", "in a sentence", "with a byte order mark"],
)
def test_a_good_answer_is_found_in_its_wrapping(text: str) -> None:
    """Models wrap JSON in fences and politeness."""
    assert len(read_answer(Completion(text, is_cut_off=False), DraftBatch).items) == 5


def test_control_characters_are_taken_out_of_good_notes() -> None:
    """They would break logs and terminals; tabs and line breaks stay."""
    answer = read_answer(
        Completion(notes({"content": "The\u0000 keeper\tcounts\nlamps\u001b[31m."}), False), DraftBatch
    )
    assert answer.items[0].content == "The keeper\tcounts\nlamps[31m."


def test_halves_of_characters_are_taken_out() -> None:
    """JSON can escape a lone surrogate, but neither MongoDB nor the next request can hold it."""
    escaped = notes({"content": "The \ud800keeper counts every lamp."})
    answer = read_answer(Completion(escaped, is_cut_off=False), DraftBatch)
    assert answer.items[0].content == "The keeper counts every lamp."
    assert read_completion(parse_body(b'{"choices": [{"message": {"content": "a \\ud800b"}}]}')).text == "a b"


def test_an_answer_in_parts_is_put_together() -> None:
    """Some gateways send content as a list of parts."""
    parts = [{"type": "text", "text": GOOD[:20]}, {"type": "text", "text": GOOD[20:]}]
    assert read_completion(body(parts)).text == GOOD


def test_a_cut_off_answer_is_invalid_even_if_it_parses() -> None:
    """finish_reason length: the last note may be half a note."""
    completion = read_completion(body(GOOD, "length"))
    with pytest.raises(AnswerInvalid, match="cut off"):
        read_answer(completion, DraftBatch)


@pytest.mark.parametrize("score", [-1, 101, "NaN", None, "high", {"a": 1}])
def test_scores_outside_of_the_rubric_are_invalid(score: Any) -> None:
    """Neither clipped nor guessed."""
    text = json.dumps({"depth": score, "coherence": 50, "actionability": 50, "reason": ""})
    with pytest.raises(AnswerInvalid):
        read_answer(Completion(text, is_cut_off=False), QualityVerdict)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.25}, Usage(10, 5, 0.25)),
        ({"prompt_tokens": 10}, Usage(10, 0, None)),
        ({"cost": 0, "prompt_tokens": 4}, Usage(4, 0, 0.0)),
        ({"prompt_tokens": -10, "completion_tokens": "5", "cost": None}, None),
        ({"prompt_tokens": True, "cost": float("inf")}, None),
        ({"cost": 1e300, "prompt_tokens": float("nan")}, None),
        (None, None),
        ("free", None),
    ],
)
def test_usage_is_read_as_far_as_it_makes_sense(usage: Any, expected: Usage | None) -> None:
    """What an endpoint does not say is not taken for nothing."""
    assert read_usage(body(usage=usage)) == expected


@pytest.mark.parametrize("named", [None, 7, "", "x" * 129, "a\nb"])
def test_a_writer_that_is_not_named_is_the_model_that_was_asked(named: Any) -> None:
    """An endpoint that routes names the model that wrote; anything but a name is no name."""
    assert read_writer({"model": named}, "asked/model") == "asked/model"
    assert read_writer({"model": "real/model"}, "asked/model") == "real/model"


def test_a_model_that_used_up_its_tokens_before_it_wrote_was_cut_off() -> None:
    """Sent again as it is, it would do so again."""
    assert read_completion(body("", "length")).is_cut_off


def test_a_refusal_is_an_answer_and_no_failure() -> None:
    """It is asked once more and not six times."""
    refused = {"choices": [{"finish_reason": "stop", "message": {"content": None, "refusal": "I cannot."}}]}
    with pytest.raises(AnswerInvalid, match="refused"):
        read_completion(refused)


@pytest.mark.parametrize("status", [400, 404, 422, 401, 402, 403])
def test_refusals_are_not_repeated(status: int) -> None:
    """In the status line as well as inside a 200."""
    assert isinstance(error_of_status(status, "m"), ModelRejected)
    with pytest.raises(ModelRejected):
        read_completion({"error": {"code": status, "message": "no"}})


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529, 0])
def test_what_may_pass_is_repeated(status: int) -> None:
    """With the server's own wait where it names one."""
    error = error_of_status(status, "m", 3.0)
    assert isinstance(error, ModelTransient)
    assert error.retry_after_s == 3.0


def test_a_budget_that_frees_itself_is_waited_for() -> None:
    """OpenRouter: 402 with Retry-After is retryable, 402 without is not."""
    assert isinstance(error_of_status(402, "m", 5.0), ModelTransient)


@pytest.mark.parametrize("answer", [DraftBatch, QualityVerdict, PairVerdicts])
def test_schemas_are_strict(answer: Any) -> None:
    """All properties required, no other allowed, no reference and no keyword that providers refuse."""
    schema = json_schema(answer)
    text = json.dumps(schema)
    for keyword in ("$ref", "$defs", "minLength", "maxItems", "minimum"):
        assert f'"{keyword}"' not in text

    def check(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["additionalProperties"] is False
                assert node["required"] == list(node["properties"])
            for sub in node.values():
                check(sub)

    check(schema)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "error", "code", "finish_reason", "items", "x"]),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(json_values)
def test_no_body_crashes_the_reader(value: Any) -> None:
    """Our errors or a completion with some text, nothing else."""
    read_usage(value)
    try:
        assert read_completion(value).text.strip()
    except ModelError:
        return


@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_no_answer_crashes_the_reader(text: str) -> None:
    """Nothing that is not 5 to 10 notes gets through."""
    try:
        batch = read_answer(Completion(text, is_cut_off=False), DraftBatch)
    except AnswerInvalid:
        return
    assert 5 <= len(batch.items) <= 10
