"""What an endpoint says with a refusal, whatever form its body has; pure.

Seen are OpenAI's `{"error": {message, type, param, code}}`, OpenRouter's with the provider's own body inside,
Anthropic's, Google's, Azure's, FastAPI's `detail`, plain texts, pages of proxies, and nothing at all.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from gather_clients.logs import without_secrets
from gather_contracts.text_cleaning import shortened
from gather_worker.errors import Refusal
from gather_worker.llm.asking.requested_waits import requested_wait_s

READ_MAX: Final = 4000
"""Looked at for what they mean: some endpoints repeat the whole request before they say what is wrong."""
CODE_MAX: Final = 64
DEPTH_MAX: Final = 8
"""Bodies in bodies: a gateway in front of a router in front of a provider."""

_SECRET: Final = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|key|csk|fw|nvapi|pplx)[-_][\w*.-]{6,}"  # keys by their beginnings
    r"|\bAIza[\w-]{20,}|\bA[KS]IA[0-9A-Z]{12,}|\beyJ[\w-]{10,}(?:\.[\w-]+)*"
    r"|(?<=[Bb]earer )\S+|(?<=://)[^/\s@:]*:[^/\s@]+(?=@)"
    r"|(?<=[?&]key=)[^\s&\"']+|(?<=[?&]api_key=)[^\s&\"']+"
)
_CODE: Final = re.compile(r"[\w./:-]{1,64}")
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_CUT_OFF: Final = re.compile(r'"(?:message|detail|error)"\s*:\s*("(?:[^"\\]|\\.)*")')
_SHOWN_ANSWER: Final = re.compile(
    r"(?<=error parsing tool call: raw=').*(?=', err=)|(?<=failed to parse input at pos )\d+: .+",
    re.IGNORECASE | re.DOTALL,
)
"""Ollama's and llama.cpp's: what the model wrote, in the words of a refusal (ollama/ollama 17638 and 12884,
ggml-org/llama.cpp 20532)."""
_KEYS_OF_WORDS: Final = (
    "message", "detail", "msg", "error_description", "error_msg", "status_msg", "title"
)  # fmt: skip
_KEYS_OF_CODE: Final = (
    "type", "error_type", "status", "name", "error_code", "status_code", "code", "reason"
)  # fmt: skip
_NESTED: Final = (
    "error", "metadata", "raw", "innererror", "inner_error", "body", "errors", "details", "provider_error",
    "base_resp",
)  # fmt: skip


def is_page(content: bytes, content_type: str = "") -> bool:
    """Return whether a body is a page for a browser."""
    beginning = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return beginning.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")) or (
        "html" in content_type.lower() and beginning.startswith(b"<")
    )


def read_refusal(
    status: int, headers: Mapping[str, str], content: bytes, now: datetime, secrets: Iterable[str] = ()
) -> Refusal:
    """Return what a response says, of which `content` is the body's beginning."""
    small = {name.lower(): value for name, value in headers.items()}
    text = content.decode("utf-8", "replace")
    if is_page(content, small.get("content-type", "")):
        title = _TITLE.search(text)
        words = shown(title[1], secrets) if title else ""
        wait_s = requested_wait_s(status, small, (), "", now)
        return Refusal(status, message=words, retry_after_s=wait_s, is_page=True)
    if 300 <= status < 400:  # noqa: PLR2004
        # Followed, it would take key and prompt to an address that nobody configured.
        return Refusal(status, message="a redirect, which is not followed: see GATHER_LLM_BASE_URL")
    body = json_in(text)
    return _refusal(status, body if body is not None else text, small, now, secrets)


def refusal_in_answer(error: Any, now: datetime, secrets: Iterable[str] = ()) -> Refusal:
    """Return what an error in a body of status 200 says; its code is the status if it is one."""
    found = _refusal(0, error, {}, now, secrets)
    # The router's own code goes before that of a provider behind it.
    status = next((int(code) for code in found.codes if re.fullmatch(r"[1-5]\d\d", code)), 0)
    wait_s = requested_wait_s(status, {}, list(_levels(error)), found.message, now)
    codes = tuple(code for code in found.codes if code != str(status))
    return Refusal(
        status, codes, found.param, found.message, found.provider, wait_s,
        is_in_answer=True, is_flagged=found.is_flagged,
    )  # fmt: skip


def refused_answer(refusal: Refusal) -> str:
    """Return the model's answer that an endpoint shows where it refuses it, "" if there is none.

    Groq has a place for it, Ollama and llama.cpp put it into their words.
    """
    for level in _levels(refusal.body):
        shown_in = (_SHOWN_ANSWER.search(_text(level, key)) for key in _KEYS_OF_WORDS)
        if text := _text(level, "failed_generation") or next((each[0] for each in shown_in if each), ""):
            return text
    return ""


def shown(text: str, secrets: Iterable[str] = (), most: int = READ_MAX) -> str:
    """Return a text of an endpoint fit for logs: one line, bounded, keys struck out."""
    line = without_secrets("".join(letter if letter.isprintable() else " " for letter in text[: 4 * most]))
    for secret in secrets:
        line = line.replace(secret, "***") if len(secret) > 5 else line  # noqa: PLR2004 - no key is shorter
    return shortened(_SECRET.sub("***", line), most)


def _refusal(
    status: int, body: Any, headers: Mapping[str, str], now: datetime, secrets: Iterable[str]
) -> Refusal:
    secrets = tuple(secrets)
    levels = list(_levels(body))
    words = list(dict.fromkeys(word for level in levels for word in _words(level)))
    message = shown(": ".join(words), secrets)
    codes = dict.fromkeys(code for level in levels for code in _codes(level))
    return Refusal(
        status,
        tuple(shown(code, secrets, CODE_MAX) for code in codes if code != str(status)),
        next((shown(p, secrets, CODE_MAX) for level in levels if (p := _param(level))), ""),
        message,
        next((shown(p, secrets, CODE_MAX) for level in levels if (p := _text(level, "provider_name"))), ""),
        requested_wait_s(status, headers, levels, message, now),
        is_flagged=any("flagged_input" in level or level.get("reasons") for level in levels),
    )


def _levels(body: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the objects of a body that may say something, the outermost first."""
    if depth > DEPTH_MAX:
        return
    if isinstance(body, str):
        yield from _in_text(body, depth)
    elif isinstance(body, list):
        for entry in body[:5]:
            yield from _levels(entry, depth + 1)
    elif isinstance(body, dict):
        yield body
        for each in map(body.get, _NESTED):
            yield from _levels(each, depth + 1)
        for each in (body.get("detail"), body.get("message")):
            yield from _inside(each, depth)


def _in_text(text: str, depth: int) -> Iterator[dict[str, Any]]:
    """Yield what a text says: a body in a body, one that was cut off, or words."""
    inner = json_in(text)
    if isinstance(inner, dict | list):
        yield from _levels(inner, depth + 1)
    elif text.strip():
        cut_off = _CUT_OFF.search(text) if text.lstrip().startswith("{") else None
        yield {"message": json.loads(cut_off[1], strict=False) if cut_off else text}


def _inside(words: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield what a body says that stands in the place of words, or that a gateway has put into its own."""
    if isinstance(words, str):
        words = _SHOWN_ANSWER.sub("…", words)
        words = json_in(words[words.index("{") : words.rfind("}") + 1]) if "{" in words else None
    if isinstance(words, dict | list):
        yield from _levels(words, depth + 1)


def _words(level: Mapping[str, Any]) -> Iterator[str]:
    for key in _KEYS_OF_WORDS:
        text = _text(level, key)
        if text and not json_in(text):
            yield _SHOWN_ANSWER.sub("…", text)
    reasons = level.get("reasons")
    if isinstance(reasons, list):
        yield ", ".join(str(reason) for reason in reasons[:5] if isinstance(reason, str))


def _codes(level: Mapping[str, Any]) -> Iterator[str]:
    for key in _KEYS_OF_CODE:
        value = level.get(key)
        if isinstance(value, str) and _CODE.fullmatch(value) and value not in {"error", "failure"}:
            yield value
        elif isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000:  # noqa: PLR2004
            yield str(value)


def _param(level: Mapping[str, Any]) -> str:
    """OpenAI names it `param`; FastAPI where it is, `loc`."""
    loc = level.get("loc")
    if isinstance(loc, list):
        return ".".join(str(part) for part in loc if part != "body")
    return _text(level, "param")


def _text(level: Mapping[str, Any], key: str) -> str:
    value = level.get(key)
    return value if isinstance(value, str) else ""


def json_in(text: str) -> Any:
    """Return the JSON object or list of a text, None if it is none; a beginning that was cut off is none."""
    if text[:64].lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
