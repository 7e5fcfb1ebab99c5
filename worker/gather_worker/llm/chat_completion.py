"""Where in a body the model's words are; pure. Whatever else an endpoint sends ends as one of our errors.

OpenRouter answers 200 for errors after generation has begun, with the error in the place of the choices, so
every part of a body is checked. What is read: the forms of OpenAI (chat completions, completions, Responses),
Anthropic, Google, Ollama, Cohere, Amazon and Cloudflare, each within wrappers as gateways put around them.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from gather_contracts.text_cleaning import encodable
from gather_worker.errors import ModelError, ModelTransient
from gather_worker.llm.access.event_stream import read_body_json
from gather_worker.llm.asking.bare_errors import bare_error
from gather_worker.llm.asking.faults import FORM_BREAKS
from gather_worker.llm.failures import broken_off, error_in_body

MODEL_NAME_MAX: Final = 128
REASON_MAX: Final = 64
WRAPPERS: Final = ("provider", "data", "response", "result", "body", "completion", "output", "message")
WRAPPERS_DEEP_MAX: Final = 4
PIECES_MAX: Final = 200
"""Of choices, parts and calls in one place; one or two are usual."""
CUT_OFF: Final = frozenset(
    {
        "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "max_length", "model_length",
        "max_token", "token_limit", "model_context_window_exceeded", "limit", "incomplete",
    }
)  # fmt: skip
FILTERED: Final = frozenset(
    {
        "content_filter", "contentfilter", "content_filtered", "safety", "recitation", "blocklist", "spii",
        "prohibited_content", "image_safety", "image_prohibited_content", "image_recitation", "model_armor",
        "refusal", "guardrail_intervened", "sensitive", "error_toxic",
    }
)  # fmt: skip
BROKEN_OFF: Final = frozenset(
    {
        "error", "failed", "cancelled", "canceled", "abort", "aborted", "timeout", "network_error",
        "insufficient_system_resource", "error_limit", *FORM_BREAKS,
    }
)  # fmt: skip
"""As OpenAI, Anthropic, Google, Mistral, Cohere, Amazon, Zhipu, DeepSeek and vLLM write them."""
_UNSAID: Final = frozenset({"error", "failed"})
"""OpenRouter's, beside which `native_finish_reason` says what it was."""
_REASONS: Final = (
    "finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "stop_type",
    "native_finish_reason", "status",
)  # fmt: skip
_TEXTS: Final = ("content", "parts", "text", "output_text", "generated_text", "response", "parsed")
_CALLS: Final = ("tool_calls", "function_call", "functionCall", "toolUse")
_ARGUMENTS: Final = ("arguments", "input", "args", "parameters")
_NESTED: Final = ("message", "delta", "function")
_THOUGHTS: Final = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "reasoning_details")
_PART: Final = frozenset({"type", "text", "thought", "functionCall", "toolUse", "json"})
_THOUGHT_TYPES: Final = ("thinking", "redacted_thinking", "reasoning", "summary_text", "thought")


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote, the likeliest place first, and how it ended.

    `others` are further places, `thoughts` what it wrote before its answer. `failure` is what to raise if
    they hold no answer.
    """

    text: str
    is_cut_off: bool = False
    others: tuple[str, ...] = ()
    thoughts: tuple[str, ...] = ()
    is_filtered: bool = False
    """By a filter of the provider, or by the model that refuses."""
    has_reasoning: bool = False
    """Cut off without a text, it used its tokens up in reasoning."""
    reason: str = ""
    """By which it ended, where that is worth a word."""
    failure: ModelError | None = None
    is_usual: bool = True
    """`text` stood where a chat completion has it."""


def read_writer(body: Any, asked: str) -> str:
    """Return the model that wrote: an endpoint that routes names it, else it is the one that was asked."""
    named = [envelope.get(name) for envelope in _envelopes(body) for name in ("model", "modelVersion")]
    names = [name for name in named if isinstance(name, str) and name.strip() and name.isprintable()]
    return next((name for name in names if len(name) <= MODEL_NAME_MAX), asked)


def parse_body(content: bytes) -> Any:
    """Return the body's JSON, a stream's as one; raises ModelTransient for what is none (a proxy's page)."""
    try:
        return read_body_json(content)
    except (ValueError, RecursionError) as error:
        raise ModelTransient("the endpoint's answer is not JSON", may_be_charged=True) from error


def read_completion(body: Any) -> Completion:
    """Return what the model wrote; raises ModelTransient or ModelRejected for a body without a word of it.

    What went wrong beside words is not raised: the words may hold what was asked for.
    """
    choices, around = list[_Choice](), _Choice()
    if bare := bare_error(body):
        around.failure = error_in_body(bare)
    for envelope in _envelopes(body):
        around.read_end(envelope)
        around.has_reasoning = around.has_reasoning or _reasoning_tokens(envelope.get("usage")) > 0
        choices = [_choice(entry) for entry in _choices(envelope)]
        if choices:
            break
    return _completion(choices, around)


def _envelopes(body: Any) -> Iterator[dict[str, Any]]:
    """Yield the body, then what is wrapped in it, level by level."""
    level = [body]
    for _ in range(WRAPPERS_DEEP_MAX + 1):
        objects = [entry for value in level for entry in _objects(value)][:PIECES_MAX]
        yield from objects
        level = [entry[name] for entry in objects for name in WRAPPERS if name in entry]


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the value itself or the entries of a list, as far as they are objects."""
    entries = value[:PIECES_MAX] if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, dict)]


def _choices(envelope: dict[str, Any]) -> list[Any]:
    """Return the places of an envelope in which a model's words belong."""
    for name in ("choices", "candidates", "generations", "output"):
        if isinstance(listed := envelope.get(name), list) and listed:
            return [listed] if name == "output" else _objects(listed)
    is_message = any(isinstance(envelope.get(name), str | list) for name in _TEXTS)
    return [envelope] if is_message or any(envelope.get(name) for name in _CALLS) else []


def _reasoning_tokens(usage: Any) -> float:
    details = [entry for name in ("completion_tokens_details", "output_tokens_details")
               for entry in _objects(usage.get(name))] if isinstance(usage, dict) else []  # fmt: skip
    told = [entry.get("reasoning_tokens") for entry in details]
    return max((count for count in told if isinstance(count, int | float)), default=0)


@dataclass(slots=True)
class _Choice:
    """What was found in one place so far; `failure` and `reason` say how it ended, if not well."""

    contents: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    refusal: str = ""
    reason: str = ""
    failure: ModelError | None = None
    has_reasoning: bool = False
    is_usual: bool = False

    def read_end(self, entry: dict[str, Any]) -> None:
        """Read how it ended; of several reasons the first that says most counts."""
        if entry.get("error") and self.failure is None:
            self.failure = error_in_body(entry["error"])
        more = [each.get("reason") for each in _objects(entry.get("incomplete_details"))]
        for said in (*more, *(entry.get(name) for name in _REASONS)):
            if (reason := _known_reason(said)) and self.reason in {"", *_UNSAID}:
                self.reason = reason
        if any(each.get("blockReason") for each in _objects(entry.get("promptFeedback"))):
            self.reason = self.reason or "safety"

    def read_message(self, entry: dict[str, Any], depth: int = 0) -> None:
        """Read the words, the thoughts and the calls of a choice, a message or a part."""
        if depth > WRAPPERS_DEEP_MAX:
            return
        if entry.get("thought") is True or entry.get("type") in _THOUGHT_TYPES:
            names = (*_TEXTS, *_THOUGHTS, "summary")
            self.thoughts += [text for name in names for text in _plain_texts(entry.get(name))]
            return
        for name in (*_TEXTS, *_ARGUMENTS):
            self._read_content(entry.get(name), depth)
        for inner in (inner for name in (*_CALLS, *_NESTED) for inner in _objects(entry.get(name))):
            self.read_message(inner, depth + 1)
        self.thoughts += [text for name in _THOUGHTS for text in _plain_texts(entry.get(name))]
        if isinstance(entry.get("refusal"), str):
            self.refusal = self.refusal or entry["refusal"]

    def _read_content(self, content: Any, depth: int) -> None:
        if isinstance(content, str):
            self.contents.append(content)
        elif isinstance(content, list):
            self.read_parts(content, depth)
        elif isinstance(content, dict) and isinstance(content.get("parts"), list):
            self.read_parts(content["parts"], depth)
        elif isinstance(content, dict) and content.keys() - {"role"}:  # Google's, of which nothing came
            value = content.get("value")
            self.contents.append(value if isinstance(value, str) else _json(content))

    def read_parts(self, parts: list[Any], depth: int = 0) -> None:
        """Read the parts of one text; objects that are no parts are themselves what was written."""
        if any(isinstance(part, dict) and not _PART & part.keys() for part in parts):
            self.contents.append(_json(parts))
            return
        inner = _Choice()
        for part in parts[:PIECES_MAX]:
            if isinstance(part, str):
                inner.contents.append(part)
            elif isinstance(part, dict):
                inner.read_message(part, depth + 1)
        self.contents += ["".join(inner.contents)] if inner.contents else []
        self.thoughts += inner.thoughts
        self.refusal = self.refusal or inner.refusal


def _known_reason(said: Any) -> str:
    """Return the reason for which an answer ended, "" for one that says only that it did.

    Google's compatible endpoint has it in two parts, "content_filter: PROHIBITED_CONTENT".
    """
    whole = said.strip().lower().replace("-", "_")[:REASON_MAX] if isinstance(said, str) else ""
    parts = (whole, *(part.strip() for part in reversed(whole.split(":"))))
    return next((part for part in parts if part in CUT_OFF | FILTERED | BROKEN_OFF), "")


def _choice(entry: Any) -> _Choice:
    choice = _Choice()
    if isinstance(entry, list):
        choice.read_parts(entry)
    else:
        choice.read_end(entry)
        choice.read_message(entry)
        message = entry.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        choice.is_usual = isinstance(content, str | list) and bool(_said(choice.contents[:1]))
    return choice


def _plain_texts(value: Any) -> list[str]:
    """Return the texts of what a model thought, a text or parts."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    texts = [part.get(name) for part in _objects(value) for name in ("text", "summary", "thinking")]
    return ["".join(joined)] if (joined := [text for text in texts if isinstance(text, str)]) else []


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def _completion(choices: list[_Choice], around: _Choice) -> Completion:
    """Return the first choice with words and, behind it, the others; raises what ended a body without any."""
    chosen = next((each for each in choices if _said(each.contents)), choices[0] if choices else around)
    reason, refusal = chosen.reason or around.reason, encodable(chosen.refusal)
    failure = chosen.failure or around.failure
    if failure is None and reason in BROKEN_OFF:
        failure = broken_off(reason)
    texts = _unequal(text for each in (chosen, *choices) for text in _said(each.contents))
    thoughts = _unequal(text for each in (chosen, *choices) for text in _said(each.thoughts))
    is_explained = reason in CUT_OFF | FILTERED or bool(refusal.strip())
    if failure is None and not texts and not is_explained:
        empty = "the model's answer is empty" if choices else "the endpoint's answer has no choices"
        failure = ModelTransient(empty)
    if failure is not None and not texts and not thoughts:
        raise failure
    return Completion(
        text=texts[0] if texts else refusal,
        is_cut_off=reason in CUT_OFF,
        others=tuple(texts[1:]),
        thoughts=tuple(thoughts),
        is_filtered=reason in FILTERED or (not texts and bool(refusal.strip())),
        has_reasoning=around.has_reasoning or bool(thoughts),
        reason=reason,
        failure=failure,
        is_usual=chosen.is_usual and chosen is choices[0],
    )


def _unequal(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _said(texts: list[str]) -> list[str]:
    return [encodable(text) for text in texts if text.strip()]
