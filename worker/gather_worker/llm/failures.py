"""What follows from an endpoint's refusal, by its status, its body and the provider's own code; pure.

One table, `RULES`, which docs/gateway.md shows: what a refusal is seen by, what is tried after it, how it
ends and what a person can do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, Final

from gather_worker.errors import ModelRejected, ModelTransient, Refusal
from gather_worker.llm.asking.faults import FORM_BREAKS, Fault, fault_of
from gather_worker.llm.asking.refusal import refusal_in_answer

ATTEMPTS_MAX: Final = 6
"""With the waits between them about a minute: longer trouble is for the Job's backoff, which is free."""
UNREACHED_MAX: Final = 15
"""Of an endpoint that has answered before and takes no connection now: nothing is paid, and after three to
five minutes of waits a server that loads its model again is back."""


class Step(StrEnum):
    """What is done after a refusal."""

    AGAIN = "again"
    """The same request, after a pause."""
    OTHER_FORM = "other form"
    FALLBACK = "fallback model"
    END = "end"


class End(StrEnum):
    """How a question ends that no step has helped."""

    LATER = "75"
    """A later attempt asks again."""
    ACCOUNT = "75, by the account"
    """Its owner can lift it, and a later attempt asks again."""
    PERSON = "64; 75 after the first iteration"
    """A person must change something. A model that has answered before will again."""
    NEVER = "64"
    """A person must change something, whatever the model has done before."""


class Guess(Enum):
    """A form that may be taken though the refusal does not say so."""

    PLAINER = 0
    """One after the other, down to the words alone."""
    PROVIDERS = 1
    """With more of OpenRouter's providers: those too that ignore some of the fields."""
    SHORTER = 2
    """With room for half the answer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault's row of the table."""

    seen: str
    """By what it is known, for people."""
    again: int
    """How often the same request is sent again to one model, each time after a pause."""
    forms: str
    """In which other form it is sent besides, or why none could change what becomes of it; for people."""
    has_fallback: bool
    end: End
    advice: str
    """What a person can do, with the setting's name."""
    is_named: bool = False
    """Whether what the refusal names of the form is left out."""
    guess: Guess | None = None
    """The form after the same again, where nothing is named."""
    guesses_max: int = 16
    """How many such forms are tried, one after the other."""


_NAME: Final = (
    "name a model that the endpoint has: defaultModel in the CMS, GATHER_DEFAULT_MODEL or GATHER_JUDGE_MODEL"
)
_OTHER_MODEL: Final = "name another model (defaultModel) or a GATHER_LLM_FALLBACK_MODEL"
_ADDRESS: Final = "GATHER_LLM_BASE_URL must be the API's address, which ends with its version, such as https://openrouter.ai/api/v1"

_SAME: Final = "none, the {} is the same in each"
_PROVIDERS: Final = "at OpenRouter without our `require_parameters`, for more providers"
_PLAINER: Final = "without what it names, then plainer ones"

RULES: Final[dict[Fault, Rule]] = {
    Fault.ADDRESS: Rule(
        "a page for browsers, 404, 405 and 410 without a word on a model, or an error in a 200 with words on "
        "a path, while the endpoint has never answered",
        2, _SAME.format("address"), False, End.PERSON, _ADDRESS,
    ),
    Fault.MOVED: Rule(
        "301, 308", 1, _SAME.format("address"), False, End.PERSON,
        "redirects are not followed: GATHER_LLM_BASE_URL must name where it leads",
    ),
    Fault.FILTER: Rule(
        "400, 403, 422 or an error in a 200 with a filter's code or words (content_filter, flagged, "
        "moderation, "
        "data_inspection_failed); finish_reason content_filter, SAFETY and the like",
        1, f"{_PROVIDERS}; else none, the texts are the same in each", True, End.PERSON,
        f"a filter refuses the texts: {_OTHER_MODEL}", guess=Guess.PROVIDERS,
    ),
    Fault.CREDIT: Rule(
        "402, or any status with a code or words on credit, balance or billing, without a time to wait for; "
        '"can only afford 3000" tokens is another form',
        0, "a shorter answer, where it names one", False, End.ACCOUNT,
        "add credit, raise the key's limit, or set spec.budget below what the account has", is_named=True,
    ),
    Fault.KEY: Rule(
        "401, or 400 and 403 with a code or words on the key", 1, _SAME.format("key"), False, End.ACCOUNT,
        "the key is refused: put a valid one into OPENROUTER_API_KEY",
    ),
    Fault.REGION: Rule(
        "451, or 400 and 403 with a code or words on a region or a provider's terms", 0,
        _SAME.format("account"), True, End.ACCOUNT,
        f"the provider does not serve this region or account: {_OTHER_MODEL}",
    ),
    Fault.POLICY: Rule(
        "404 and 403 with words on data policy, guardrails, zero retention or allowed providers",
        1, f"{_PROVIDERS}; else none, what is set for privacy is never left out", True, End.PERSON,
        "no provider of the model meets GATHER_LLM_PROVIDER and the account's privacy settings: change "
        "them, or the model", guess=Guess.PROVIDERS,
    ),
    Fault.LENGTH: Rule(
        "413, or any status with a code or words on the context's length or tokens a minute", 0,
        "a shorter answer: as the words say, else half, once", True, End.PERSON,
        "prompt and answer do not fit: name a model with a larger window, or lower GATHER_LLM_MAX_TOKENS",
        is_named=True, guess=Guess.SHORTER, guesses_max=1,
    ),
    Fault.FORM: Rule(
        "a refusal that names a part of the request: response_format, max_tokens, the system message, "
        "reasoning, "
        'a field of ours; 404 "No endpoints found that …"; '
        "finish_reason MALFORMED_FUNCTION_CALL and the like; an answer that the server cannot parse",
        1, _PLAINER, True, End.PERSON,
        "no form is taken: name another model, or mend GATHER_LLM_PROVIDER, "
        "GATHER_LLM_REASONING_EFFORT or GATHER_LLM_EXTRA_BODY", is_named=True, guess=Guess.PLAINER,
    ),
    Fault.MODEL: Rule(
        "404 and 410 with words on a model, any status with a code or words on an unknown one", 1,
        f"without what it names besides; {_PROVIDERS}; else none, the name is the same in each", True,
        End.PERSON, _NAME, is_named=True, guess=Guess.PROVIDERS,
    ),
    Fault.FORBIDDEN: Rule(
        "other 403; 401, 402 and 403 of a provider behind a router", 1, _SAME.format("account"), True,
        End.ACCOUNT,
        f"it is forbidden: see OPENROUTER_API_KEY's rights, or {_OTHER_MODEL}",
    ),
    Fault.REQUEST: Rule(
        "400, 422 and other 4xx that say nothing of the above", 1, _PLAINER, True, End.PERSON,
        f"the endpoint refuses the request: {_OTHER_MODEL}", is_named=True, guess=Guess.PLAINER,
    ),
    Fault.RATE: Rule(
        "429, 529, or any status with a code or words on rates, quotas or load", ATTEMPTS_MAX - 1,
        "none, it passes by itself", True, End.LATER,
        "wait, raise the account's limits, or name a GATHER_LLM_FALLBACK_MODEL",
    ),
    Fault.UNREACHED: Rule(
        "no connection to an endpoint that has answered before", UNREACHED_MAX - 1,
        "none, it passes by itself", True, End.LATER, "",
    ),
    Fault.PASSING: Rule(
        "5xx, 302, 303, 307, 408, 409, 425, 498, 499, an error without a status, no connection, a broken, "
        "empty or "
        "unreadable answer",
        ATTEMPTS_MAX - 1, "none, it passes by itself", True, End.LATER, "",
    ),
}  # fmt: skip
"""Tried in this order: named other form, again, guessed other form, fallback model, end. After three failures
in a row, or a long Retry-After, the breaker goes to the fallback model before the tries are used up."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What one question has come to with one model."""

    times: int
    """How often this fault came from this model, this time included."""
    has_named_form: bool = False
    has_guessed_form: bool = False
    has_fallback: bool = False


def next_step(fault: Fault, now: Situation) -> Step:
    """Return what is done next."""
    rule = RULES[fault]
    if rule.is_named and now.has_named_form:
        return Step.OTHER_FORM
    if now.times <= rule.again:
        return Step.AGAIN
    if rule.guess and now.has_guessed_form and now.times <= rule.again + rule.guesses_max:
        return Step.OTHER_FORM
    return Step.FALLBACK if rule.has_fallback and now.has_fallback else Step.END


# --- errors


def error_of(refusal: Refusal) -> ModelTransient | ModelRejected:
    """Return a refusal as an error."""
    fault = fault_of(refusal)
    end = RULES[fault].end
    if end is End.LATER:
        return ModelTransient(str(refusal), refusal.retry_after_s, refusal=refusal)
    return ModelRejected(str(refusal), is_request_fault=end is End.PERSON, refusal=refusal)


def error_in_body(error: Any) -> ModelTransient | ModelRejected:
    """Return the error for what an endpoint put into an answer of status 200."""
    return error_of(refusal_in_answer(error, datetime.now(UTC)))


def filtered(reason: str) -> ModelRejected:
    """Return the error for an answer that a filter broke off; `reason` is its finish_reason."""
    refusal = Refusal(codes=("content_filter",), message=f"finish_reason {reason}", is_in_answer=True)
    return ModelRejected(
        f"a filter broke the answer off: finish_reason {reason}", is_request_fault=True, refusal=refusal
    )


def broken_off(reason: str) -> ModelTransient | ModelRejected:
    """Return the error for an answer that the model broke off; `reason` is its finish_reason."""
    words = f"the model broke off: finish_reason {reason}"
    if reason not in FORM_BREAKS:
        return ModelTransient(words)
    return error_of(Refusal(codes=(reason,), message=words, is_in_answer=True))


# --- for people


def said(model: str, refusal: Refusal, fault: Fault) -> str:
    """Return which model, what to change, and what the endpoint says; the quote last, since it may be cut."""
    advice = RULES[fault].advice
    return f"model {model}: {advice}; {refusal}" if advice else f"model {model}: {refusal}"


def spent_words(model: str, times: int, timeout_s: float, error: str = "") -> str:
    """Return what a person can do about a model that was paid so often in a row and did not answer."""
    words = (
        f"model {model}: {times} paid requests in a row had no answer: raise GATHER_LLM_TIMEOUT_S "
        f"({timeout_s:g} s), or {_OTHER_MODEL}"
    )
    return f"{words}; {error}" if error else words


def table() -> Iterator[str]:
    """Yield the lines of docs/gateway.md's table."""
    yield "| fault | seen by | again | other form | fallback model | ends with | what a person can do |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for fault, rule in RULES.items():
        steps = " | ".join([str(rule.again or ""), rule.forms, "yes" if rule.has_fallback else ""])
        yield f"| {fault} | {rule.seen} | {steps} | {rule.end} | {rule.advice} |"
