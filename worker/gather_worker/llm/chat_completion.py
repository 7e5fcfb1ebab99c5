"""Reading a chat completion's body; pure. Whatever else an endpoint sends ends as one of our errors.

OpenRouter answers 200 for errors after generation has begun, with the error in the place of the choices, so
every part of a body is checked.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from gather_contracts.text_cleaning import encodable
from gather_worker.errors import AnswerInvalid, ModelTransient
from gather_worker.llm.failures import error_in_body

MODEL_NAME_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote, and whether it was cut off."""

    text: str
    is_cut_off: bool


def read_writer(body: Any, asked: str) -> str:
    """Return the model that wrote: an endpoint that routes names it, else it is the one that was asked."""
    named = body.get("model") if isinstance(body, dict) else None
    is_name = isinstance(named, str) and 0 < len(named) <= MODEL_NAME_MAX and named.isprintable()
    return str(named) if is_name else asked


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
        raise error_in_body(body["error"])
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ModelTransient("the endpoint's answer has no choices")
    return _read_choice(choices[0])


def _read_choice(choice: dict[str, Any]) -> Completion:
    if choice.get("error"):
        raise error_in_body(choice["error"])
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
