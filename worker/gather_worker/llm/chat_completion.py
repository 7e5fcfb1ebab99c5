"""Reading a chat completion's body; pure. Whatever else an endpoint sends ends as one of our errors.

OpenRouter answers 200 for errors after generation has begun, with the error in the place of the choices, so
every part of a body is checked.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from gather_contracts.text_cleaning import encodable
from gather_worker.errors import AnswerInvalid, ModelRejected, ModelTransient
from gather_worker.llm.ledger import Usage

MODEL_NAME_MAX: Final = 128
AMOUNT_MAX: Final = 1e9
"""A report of more tokens or money for one request is not credible."""
ERRORS_SHOWN: Final = 5
REQUEST_FAULTS: Final = frozenset({301, 308, 400, 404, 405, 413, 422})
"""Statuses that say that this request, its model's name included, can never work at this endpoint; 301 and
308, that it has moved for good."""
REFUSALS: Final = frozenset({401, 402, 403})
"""Statuses that the account's owner can change: key, credit, moderation."""

_TOKEN_KEYS: Final = ("prompt_tokens", "completion_tokens")

AnswerT = TypeVar("AnswerT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote, and whether it was cut off."""

    text: str
    is_cut_off: bool


def read_usage(body: Any) -> Usage | None:
    """Return what one request came to by the endpoint's own `usage`, None if that says nothing."""
    usage = body.get("usage") if isinstance(body, dict) else None
    if not isinstance(usage, dict):
        return None
    tokens_in, tokens_out = (int(_amount(usage.get(key)) or 0) for key in _TOKEN_KEYS)
    cost_usd = _amount(usage.get("cost"))
    return Usage(tokens_in, tokens_out, cost_usd) if tokens_in or tokens_out or cost_usd else None


def read_writer(body: Any, asked: str) -> str:
    """Return the model that wrote: an endpoint that routes names it, else it is the one that was asked."""
    named = body.get("model") if isinstance(body, dict) else None
    is_name = isinstance(named, str) and 0 < len(named) <= MODEL_NAME_MAX and named.isprintable()
    return str(named) if is_name else asked


def _amount(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared before anything is converted: an integer of 4,000 digits is valid JSON. NaN fails it too.
    return float(value) if is_number and 0 <= value < AMOUNT_MAX else None


def parse_body(content: bytes) -> Any:
    """Return the body's JSON; raises ModelTransient for what is no JSON (a proxy's page, half a body)."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelTransient("the endpoint's answer is not JSON", may_be_charged=True) from error


def read_completion(body: Any) -> Completion:
    """Return the first choice's text; raises ModelTransient or ModelRejected for what is none."""
    if not isinstance(body, dict):
        raise ModelTransient("the endpoint's answer is not an object")
    if body.get("error"):
        raise _error_in_body(body["error"])
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ModelTransient("the endpoint's answer has no choices")
    return _read_choice(choices[0])


def _read_choice(choice: dict[str, Any]) -> Completion:
    if choice.get("error"):
        raise _error_in_body(choice["error"])
    reason = choice.get("finish_reason")
    # Compared, not looked up: the value may have no hash.
    if reason == "error" or reason == "content_filter":  # noqa: PLR1714
        raise ModelTransient(f"the model broke off: finish_reason {reason}")
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if isinstance(message, dict) and not text and isinstance(message.get("refusal"), str):
        raise AnswerInvalid("the model refused to answer", encodable(message["refusal"]))
    if isinstance(text, list):
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    is_cut_off = reason == "length"
    if is_cut_off and not text:
        return Completion("", is_cut_off=True)  # a reasoning model can use up its tokens before its answer
    if not isinstance(text, str) or not text.strip():
        raise ModelTransient("the model's answer is empty")
    return Completion(encodable(text), is_cut_off)


def _error_in_body(error: Any) -> ModelTransient | ModelRejected:
    code = error.get("code") if isinstance(error, dict) else None
    status = int(code) if isinstance(code, int | str) and str(code).isdecimal() and len(str(code)) == 3 else 0  # noqa: PLR2004
    return error_of_status(
        status, f"the endpoint reports an error inside its answer (code {status or 'none'})"
    )


def error_of_status(
    status: int, message: str, retry_after_s: float | None = None
) -> ModelTransient | ModelRejected:
    """Return the error for an HTTP status; 402 with Retry-After is a budget that frees itself."""
    if status in REQUEST_FAULTS:
        return ModelRejected(message, is_request_fault=True)
    if status in REFUSALS and retry_after_s is None:
        return ModelRejected(message, is_request_fault=False)
    return ModelTransient(message, retry_after_s)


def read_answer(completion: Completion, answer: type[AnswerT]) -> AnswerT:
    """Return the typed answer; raises AnswerInvalid with a message that helps the model to fix it."""
    if completion.is_cut_off:
        raise AnswerInvalid("the answer was cut off at the token limit; write less", completion.text)
    try:
        return answer.model_validate(_json_object(completion.text))
    except ValidationError as error:
        shown = error.errors(include_url=False, include_input=False)[:ERRORS_SHOWN]
        problems = (f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in shown)
        raise AnswerInvalid("; ".join(problems), completion.text) from error


def _json_object(text: str) -> Any:
    """Return the JSON object in the text; some models wrap it in a fence or a sentence.

    Stricter than `json` is by itself: NaN and infinities are no JSON, and of two equal keys it is not ours to
    choose one.
    """

    def no_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    def with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise AnswerInvalid("the answer has an object with two equal keys", text)
        return found

    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise AnswerInvalid("the answer is not a JSON object", text)
    try:
        return json.loads(
            text[start : end + 1], parse_constant=no_constant, object_pairs_hook=with_unique_keys
        )
    except (ValueError, RecursionError) as error:
        raise AnswerInvalid("the answer is not valid JSON", text) from error
