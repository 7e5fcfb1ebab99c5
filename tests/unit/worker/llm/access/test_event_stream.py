"""A stream that nobody asked for, and what stands before a body: read as the one body that they make."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.llm.access.event_stream import read_body_json

WHOLE = {"choices": [{"message": {"content": '{"a": "\u2028"}'}}], "usage": {"cost": 0.1}}
PROCESSING = ": OPENROUTER PROCESSING\n\n"


def chunk(delta: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a chunk of one choice."""
    choice = {"index": fields.pop("index", 0), "delta": delta, "finish_reason": fields.pop("finish", None)}
    return {"id": "gen-1", "object": "chat.completion.chunk", "model": "a/b", "choices": [choice], **fields}


def events(*documents: Any, end: str = "\n\n", done: str = "data: [DONE]\n\n") -> bytes:
    """Return a stream of these."""
    return ("".join(f"data: {json.dumps(each)}{end}" for each in documents) + done).encode()


def joined(*documents: Any) -> Any:
    """Return the body that a stream of these makes."""
    return read_body_json(events(*documents))


@pytest.mark.parametrize(
    "content",
    [
        "{0}",
        "\n\n   \n{0}",
        "\r\n\r\n{0}\r\n",
        "\ufeff{0}",
        PROCESSING * 3 + "{0}",
        PROCESSING + "{0}\n\n" + PROCESSING,
        "\ufeff" + PROCESSING + "\r\n{0}",
        "{0}data: [DONE]\n\n",
        "{0}\n\ndata: [DONE]\n\n",
        "data: {0}\n\n",
        "data:{0}\n\ndata: [DONE]",
        "event: completion\nid: 7\nretry: 10\ndata: {0}\n\n",
        "data:\n {0}\n\n",
    ],
    ids=[
        "plain", "empty lines", "CRLF", "BOM", "comments before", "comments around", "BOM and comments",
        "end glued to it", "end behind it", "one event", "no space", "all fields", "behind its field",
    ],
)  # fmt: skip
def test_a_whole_completion_is_read_whatever_stands_around_it(content: str) -> None:
    """As users report of OpenRouter, DeepSeek and several gateways."""
    assert read_body_json(content.replace("{0}", json.dumps(WHOLE, ensure_ascii=False)).encode()) == WHOLE


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("between", ["", ": OPENROUTER PROCESSING", "   "], ids=["none", "comment", "blank"])
def test_chunks_make_the_body_that_would_have_come_at_once(newline: str, between: str) -> None:
    """A line separator of Unicode, where Python's own splitting would cut, stays in its text."""
    sent = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": '{"a": '}),
        chunk({"content": '"\u2028\x85"}'}),
        chunk({}, finish="stop"),
        {"id": "gen-1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5, "cost": 0.1}},
    ]
    text = "".join(f"data: {json.dumps(each, ensure_ascii=False)}\n\n{between}\n\n" for each in sent)
    body = read_body_json(f"{text}data: [DONE]\n\n".replace("\n", newline).encode())
    assert body == {
        "id": "gen-1",
        "object": "chat.completion",
        "model": "a/b",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": '{"a": "\u2028\x85"}'},
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "cost": 0.1},
    }


def test_events_without_an_empty_line_between_them_are_several() -> None:
    """As some servers send them, and as lines of JSON without any frame."""
    sent = [chunk({"content": "a"}), chunk({"content": "b"}), chunk({"content": "c"}, finish="length")]
    for content in (events(*sent, end="\n", done=""), "\n".join(map(json.dumps, sent)).encode()):
        body = read_body_json(content)
        assert body["choices"][0]["message"]["content"] == "abc"
        assert body["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "thinking", "refusal"])
def test_other_texts_go_on_too(name: str) -> None:
    """Under whatever name a provider has them, beside the content and not in it."""
    message = joined(chunk({name: "be"}), chunk({name: "fore", "content": None}), chunk({"content": "x"}))[
        "choices"
    ][0]["message"]
    assert (message[name], message["content"]) == ("before", "x")


def test_content_may_come_in_parts() -> None:
    """As parts they stay."""
    part = {"type": "text", "text": "a"}
    assert joined(chunk({"content": [part]}), chunk({"content": [part]}))["choices"][0]["message"][
        "content"
    ] == [part, part]
    assert joined(chunk({"content": "b"}), chunk({"content": [part]}))["choices"][0]["message"][
        "content"
    ] == [{"type": "text", "text": "b"}, part]


def call(name: str | None, text: str, **fields: Any) -> dict[str, Any]:
    """Return a part of a tool call."""
    function = {"arguments": text} if name is None else {"name": name, "arguments": text}
    return chunk({"tool_calls": [{"function": function, **fields}]})


@pytest.mark.parametrize(
    "parts",
    [
        [call("f", '{"a"', index=0, id="1"), call(None, ":1}", index=0), call("g", "{}", index=1, id="2")],
        [call("f", '{"a"', index=0, id="1"), call(None, ":1}", index=0), call("g", "{}", index=0, id="2")],
        [call("f", '{"a"', id="1"), call(None, ":1}"), call("g", "{", id="2"), call(None, "}")],
        [
            call("f", '{"a"', index=0, id="1"),
            call("g", "{", index=1, id="2"),
            call(None, ":1}", index=0),
            call(None, "}", index=1),
        ],
        [
            call("f", '{"a":1}', index=0, id="1"),
            call("g", "{", index=0, id="2"),
            call(None, "}", index=0),
        ],
    ],
    ids=["by index", "all of index 0", "without an index", "in turns", "index 0 goes on with the last"],
)
def test_tool_calls_are_put_together(parts: list[dict[str, Any]]) -> None:
    """By index, or by id where a provider gives all the same."""
    calls = joined(*parts)["choices"][0]["message"]["tool_calls"]
    assert [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in calls] == [
        ("1", "f", '{"a":1}'),
        ("2", "g", "{}"),
    ]


def test_a_message_at_the_end_has_all() -> None:
    """Where one comes behind the deltas, and where it is but an empty frame."""
    for end, expected in (({"role": "assistant", "content": "ab."}, "ab."), ({"content": ""}, "ab")):
        last = {"choices": [{"index": 0, "message": end, "finish_reason": "stop"}]}
        body = joined(chunk({"content": "a"}), chunk({"content": "b"}), last)
        assert body["choices"][0]["message"]["content"] == expected


def test_an_error_in_the_middle_is_the_body_s_and_what_came_before_stays() -> None:
    """With the provider's own code. OpenRouter's form, and one whose event alone is called an error."""
    error = {"code": 502, "message": "Provider disconnected"}
    broken = {**chunk({"content": ""}, finish="error"), "error": error}
    named = events(chunk({"content": "half"}), done=f"event: error\ndata: {json.dumps(error)}\n\n")
    for content in (events(chunk({"content": "half"}), broken), named):
        body = read_body_json(content)
        assert body["error"] == error
        assert body["choices"][0]["message"]["content"] == "half"


def test_of_several_usages_each_number_counts_at_its_highest() -> None:
    """Counted upwards in each chunk, and empty at the end: the ledger is never below what was charged."""
    body = joined(
        chunk({"content": "a"}, usage={"prompt_tokens": 9, "completion_tokens": 1, "cost": 0.01}),
        chunk({"content": "b"}, usage={"completion_tokens": 2, "cost": 0.02, "cost_details": {"x": 1}}),
        chunk({}, usage={"completion_tokens": 0, "cost": None, "cost_details": None}),
        chunk({}, usage=None),
    )
    assert body["usage"] == {
        "prompt_tokens": 9, "completion_tokens": 2, "cost": 0.02, "cost_details": {"x": 1},
    }  # fmt: skip


def test_usage_may_stand_in_a_provider_s_own_field_of_the_last_chunk() -> None:
    """Groq's, whose first chunk has the field without it; Azure's first chunk has empty names."""
    first = {"id": "", "model": "", "choices": [], "x_groq": {"id": "r"}}
    body = joined(first, chunk({"content": "a"}, x_groq={"id": "r", "usage": {"total_tokens": 3}}))
    assert (body["x_groq"], body["model"]) == ({"id": "r", "usage": {"total_tokens": 3}}, "a/b")


def test_ollama_s_own_lines_are_a_stream_too() -> None:
    """Without choices; what it counted stays as it names it."""
    lines = [
        {"model": "m", "message": {"role": "assistant", "content": "a", "thinking": "h"}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": "b", "thinking": "m"}, "done": False},
        {"model": "m", "message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 7},
    ]
    body = read_body_json("\n".join(map(json.dumps, lines)).encode())
    message = {"role": "assistant", "content": "ab", "thinking": "hm"}
    assert body["choices"] == [{"index": 0, "finish_reason": "stop", "message": message}]
    assert (body["model"], body["eval_count"]) == ("m", 7)


def test_further_choices_are_kept_apart_and_bounded() -> None:
    """By their index."""
    body = joined(*(chunk({"content": str(index)}, index=index) for index in (1, 0, *range(2, 100))))
    texts = [choice["message"]["content"] for choice in body["choices"]]
    assert texts == [str(index) for index in range(16)]


def test_a_stream_that_breaks_off_has_what_came_before() -> None:
    """Half of a last event is left out, and no reason for an end is made up."""
    body = read_body_json(events(chunk({"content": "a"}), done='data: {"choices": [{"delta": {"con'))
    assert body["choices"][0] == {
        "index": 0,
        "finish_reason": None,
        "message": {"role": "assistant", "content": "a"},
    }


NO_BODY = {
    "empty": b"",
    "blank": b"  \n",
    "comment": b": wait\n\n",
    "end alone": b"data: [DONE]\n\n",
    "half": b'{"choices": [',
    "page": b'<html>\n{"a": 1}\n</html>',
    "bytes": b"\xff\xfe{",
    "null": b"data: null\n\n",
    "list": b"data: [1]\n\n",
    "text": b'"text" more',
    "deep": b"[" * 100_000,
    "deep event": b'data: {"a":' + b'{"a":' * 100_000,
}


@pytest.mark.parametrize("content", NO_BODY.values(), ids=NO_BODY)
def test_what_is_no_body_is_a_value_error(content: bytes) -> None:
    """A page that has JSON somewhere is no body either."""
    with pytest.raises(ValueError, match="neither JSON nor a stream"):
        read_body_json(content)


NAMES = (
    "choices", "delta", "message", "content", "usage", "tool_calls", "index", "id", "error", "function",
    "arguments", "finish_reason", "role",
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(NAMES), inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(documents=st.lists(VALUES, max_size=4))
def test_chunks_of_any_form_are_joined_or_refused(documents: list[Any]) -> None:
    """Whatever an endpoint sends."""
    try:
        body = joined(*documents)
    except ValueError:
        assert not any(isinstance(each, dict) for each in documents)
    else:
        assert isinstance(body, dict)


@given(text=st.text(max_size=60), cuts=st.lists(st.integers(0, 60), max_size=8))
def test_no_character_is_lost_or_made_up(text: str, cuts: list[int]) -> None:
    """However a text is cut."""
    text = text.encode("utf-8", "ignore").decode()
    ends = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    parts = [text[start:end] for start, end in pairwise(ends)]
    body = joined(*(chunk({"content": part}) for part in parts))
    assert body["choices"][0]["message"]["content"] == text
