"""What endpoints say with a refusal: found in any shape, bounded, without keys and control characters."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_clients.logs import hide_in_logs
from gather_worker.errors import MESSAGE_MAX, Refusal
from gather_worker.llm.asking.faults import Fault, fault_of
from gather_worker.llm.asking.refusal import (
    READ_MAX,
    is_page,
    read_refusal,
    refusal_in_answer,
    refused_answer,
    shown,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = "abc-secret-key"


def read(body: Any, status: int = 400, **headers: str) -> Refusal:
    """Return what a body says."""
    text = body if isinstance(body, str) else json.dumps(body)
    return read_refusal(status, headers, text.encode(), NOW, [KEY])


BODIES: list[tuple[str, Any, str, str]] = [
    ("OpenAI", {"error": {"message": "No such", "type": "invalid", "code": "bad"}}, "bad", "No such"),
    ("a code of digits", {"error": {"message": "No", "code": 1113}}, "1113", "No"),
    ("a text", {"error": "model is asleep"}, "", "model is asleep"),
    ("FastAPI", {"detail": "Not Found"}, "", "Not Found"),
    ("FastAPI's list", {"detail": [{"type": "missing", "loc": ["body", "x"], "msg": "Field required"}]},
     "missing", "Field required"),
    ("a message", {"message": "no", "status": "failure"}, "", "no"),
    ("errors", {"errors": [{"code": 10000, "message": "Bad token"}]}, "10000", "Bad token"),
    ("OpenRouter", {"error": {"message": "Provider returned error", "code": 400, "metadata": {
        "raw": '{"error":{"message":"too many cooks","code":"cooks"}}', "provider_name": "Azure"}}},
     "cooks", "Provider returned error: too many cooks"),
    ("OpenRouter's raw text", {"error": {"message": "Provider returned error", "metadata": {"raw": "boom"}}},
     "", "Provider returned error: boom"),
    ("Anthropic", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
     "overloaded_error", "Overloaded"),
    ("Google", [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid",
                           "details": [{"reason": "KEY_INVALID"}]}}], "KEY_INVALID", "API key not valid"),
    ("Azure", {"error": {"code": "content_filter", "message": "filtered",
                         "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
     "ResponsibleAIPolicyViolation", "filtered"),
    ("a body in a message", {"error": {"message": 'litellm: {"error": {"message": "deep", "code": "x1"}}'}},
     "x1", 'litellm: {"error": {"message": "deep", "code": "x1"}}: deep'),
    ("cut off", '{"error": {"message": "it is \\"late\\"", "more": "', "", 'it is "late"'),
    ("plain text", "upstream is down", "", "upstream is down"),
    ("empty", "", "", ""),
    ("a number", "7", "", "7"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "message"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])
def test_code_and_words_are_found(body: Any, code: str, message: str) -> None:
    """The code nearest to the cause is the last one."""
    refusal = read(body)
    assert (refusal.codes[-1] if refusal.codes else "") == code
    assert refusal.message == message


def test_a_refusal_says_who_and_what() -> None:
    """Status, code, provider, and its own words, in one line."""
    body = {"error": {"message": "Provider returned error", "code": 429,
                      "metadata": {"raw": '{"code": "busy"}', "provider_name": "Azure"}}}  # fmt: skip
    assert str(read(body, 429)) == "the endpoint answered 429 busy by Azure: Provider returned error"
    assert str(read("", 500)) == "the endpoint answered 500"


def test_what_a_validation_shows_of_the_request_is_not_read() -> None:
    """FastAPI repeats the input, OpenRouter what a filter flagged: both may be a script."""
    fastapi = {"detail": [{"loc": ["body", "usage"], "msg": "Extra inputs", "input": "the sisters drown"}]}
    flagged = {
        "error": {"message": "flagged", "metadata": {"reasons": ["violence"], "flagged_input": "they drown"}}
    }
    assert "drown" not in str(read(fastapi)) + str(read(flagged))
    assert read(fastapi).param == "usage"
    assert read(flagged).is_flagged
    assert "violence" in str(read(flagged))


@pytest.mark.parametrize(
    "text",
    [
        f"wrong key {KEY}",
        "Incorrect API key provided: sk-proj-abcdefgh1234. You can find",
        "Incorrect API key provided: sk-abcd****wxyz",
        "Authorization: Bearer abcdefghi is unknown",
        "https://person:abcdefghi@proxy.test refused",
        "https://g.test/v1?key=abcdefghijk is wrong",
        "AIzaSyabcdefghijklmnopqrstuvwxyz012345 is no key",
        "gsk_abcdefghijklmnop is expired",
    ],
)
def test_keys_are_struck_out(text: str) -> None:
    """Our own, whatever it looks like, and what looks like one."""
    said = str(read({"error": {"message": text}}, 401))
    assert "***" in said
    assert "abcdefgh" not in said
    assert KEY not in said
    assert "wxyz" not in said


def test_the_settings_secrets_are_struck_out_of_errors_in_a_200_too() -> None:
    """Of those the request's headers are not at hand; struck out before anything is shortened."""
    hide_in_logs([KEY])
    try:
        refusal = refusal_in_answer({"message": "x" * (MESSAGE_MAX - 20) + f" wrong key {KEY}"}, NOW)
    finally:
        hide_in_logs([])
    assert "***" in str(refusal)
    assert KEY[:5] not in str(refusal)


def test_words_are_one_bounded_line() -> None:
    """Whatever an endpoint sends."""
    refusal = read({"error": {"message": "\x1b[31mBad\x07\nrequest: " + "x" * 15_000}})
    assert len(refusal.message) <= READ_MAX
    assert len(str(refusal)) <= MESSAGE_MAX + 100
    assert str(refusal).isprintable()
    assert "Bad request" in str(refusal)


def test_a_page_is_named_as_one() -> None:
    """With its title; an XML or text body is none of a browser's."""
    refusal = read("<html>\n<title>502 Bad Gateway</title></html>", 502)
    assert refusal.is_page
    assert str(refusal) == "the endpoint answered 502: a page for browsers: 502 Bad Gateway"
    assert is_page(b"\xef\xbb\xbf <!DOCTYPE html>")
    assert not is_page(b'{"html": "<html>"}', "text/html")
    assert not is_page(b"")


def test_an_error_in_an_answer_has_its_code_as_the_status() -> None:
    """If it is one."""
    assert refusal_in_answer({"code": 502, "message": "no"}, NOW).status == 502
    assert refusal_in_answer({"code": "429", "message": "no"}, NOW).status == 429
    behind = {"code": 502, "message": "no", "metadata": {"raw": {"code": 400, "message": "bad token"}}}
    assert refusal_in_answer(behind, NOW).status == 502
    assert refusal_in_answer({"code": "rate_limited"}, NOW).status == 0
    assert refusal_in_answer("overloaded", NOW).message == "overloaded"
    assert refusal_in_answer(True, NOW) == Refusal(is_in_answer=True)


SHOWN_ANSWERS = [
    ("error parsing tool call: raw='{0}]', err=invalid character ']' after top-level value", "{0}]"),
    ("error parsing tool call: raw='{0}', err=unexpected end of JSON input", "{0}"),
    ("Failed to parse input at pos 17: {0}", "17: {0}"),
]


@pytest.mark.parametrize(("words", "expected"), SHOWN_ANSWERS)
@pytest.mark.parametrize("is_text", [True, False])
def test_an_answer_in_the_words_is_read_and_not_shown(words: str, expected: str, *, is_text: bool) -> None:
    """Neither its text, which is confidential, nor codes that it may hold."""
    answer = json.dumps({"code": "content_filter", "message": "it's a 'secret', err=x"})
    said: Any = words.format(answer)
    body = {"error": said if is_text else {"message": said, "type": "api_error"}}
    refusal = replace(read(body, 500), body=body)
    assert refused_answer(refusal) == expected.format(answer)
    assert "secret" not in f"{refusal} {refusal.codes}"
    assert "content_filter" not in refusal.codes
    assert fault_of(refusal) is Fault.FORM


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["error", "message", "code", "type", "metadata", "raw", "detail", "details", "loc",
                         "reasons", "headers", "retry_after", "retryDelay", "Retry-After", "param", "x"]),
        inner, max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@given(JSON, st.integers(100, 599))
def test_no_body_crashes_the_reader(body: Any, status: int) -> None:
    """And none makes a line that is not printable or too long."""
    for refusal in (
        read(body, status),
        refusal_in_answer(body, NOW),
        refusal_in_answer(json.dumps(body), NOW),
    ):
        assert str(refusal).isprintable()
        assert len(str(refusal)) < MESSAGE_MAX + 400
        assert refusal.retry_after_s is None or refusal.retry_after_s >= 0


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(content: bytes) -> None:
    """Not even those that are no text."""
    assert str(read_refusal(500, {}, content, NOW)).isprintable()


def test_short_secrets_strike_nothing_out() -> None:
    """A key of two letters would make every message unreadable."""
    assert shown("a test", ["a"]) == "a test"
