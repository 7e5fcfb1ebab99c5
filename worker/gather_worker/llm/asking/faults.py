"""What a refusal says, by its status, the endpoint's own codes and its words; pure.

The codes and words are those of OpenAI, OpenRouter, Azure, Anthropic, Google, Groq, Mistral, DeepSeek,
Alibaba, Zhipu, vLLM, Ollama, llama.cpp and LM Studio, as their documents and their users' reports have them.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from gather_worker.errors import Refusal


class Fault(StrEnum):
    """What a refusal says, by what can be done about it."""

    ADDRESS = "address"
    MOVED = "moved"
    FILTER = "filter"
    CREDIT = "credit"
    KEY = "key"
    REGION = "region"
    POLICY = "policy"
    LENGTH = "length"
    FORM = "form"
    MODEL = "model"
    FORBIDDEN = "forbidden"
    REQUEST = "request"
    RATE = "rate"
    UNREACHED = "unreached"
    PASSING = "passing"


_ADDRESS: Final = re.compile(r"https?://\S+")
"""Where to read on: its words (billing, privacy) say nothing of the refusal."""


def _codes(*codes: str) -> Callable[[Refusal], bool]:
    known = frozenset(codes)
    return lambda refusal: any(code.lower() in known for code in refusal.codes)


def _words(pattern: str) -> Callable[[Refusal], bool]:
    # Compiled when something was refused: no start waits for it.
    return lambda refusal: re.search(pattern, _ADDRESS.sub("", refusal.message), re.IGNORECASE) is not None


_IS_FILTER_CODE: Final = _codes(
    "content_filter", "content_filtered", "content_policy_violation", "contentfilter", "moderation_blocked",
    "responsibleaipolicyviolation", "data_inspection_failed", "datainspectionfailed", "content_moderation",
    "prohibited_content", "safety", "sensitive", "content_filter_error", "moderation_error", "flagged",
    "invalid_prompt", "1301", "1026", "1027",
)  # fmt: skip
_IS_FILTER: Final = _words(
    r"content.{0,20}(?:polic|filter|moderat|exists risk|risk)|\bflagged\b|\bmoderation\b|safety (?:system|"
    r"filter|"
    r"reason|polic)|usage polic|inappropriate content|sensitive (?:content|information|words)|"
    r"prohibited content|usage guidelines|safety_check|new_sensitive|敏感内容"
)
_IS_CREDIT_CODE: Final = _codes(
    "insufficient_quota", "insufficient_credits", "insufficient_balance", "insufficient_user_quota",
    "billing_not_active", "billing_hard_limit_reached", "billing_error", "payment_required",
    "credit_limit_reached", "arrearage", "budget_exceeded",
    "1113", "1008",
)  # fmt: skip
_IS_CREDIT: Final = _words(
    r"insufficient (?:account )?(?:credit|balance|fund|quota)|credit balance|out of credit|more credits|"
    r"credits? "
    r"(?:exhausted|depleted|limit)|current quota|plan and billing|billing|(?:key|spend(?:ing)?) limit|"
    r"payment required|overdue|in arrears|余额不足|good standing|"
    r"balance is (?:insufficient|too low|not enough)|"
    r"free tier .{0,40}exhausted|api usage limits|budget has been exceeded|over budget|paid account"
)
_IS_KEY_CODE: Final = _codes(
    "invalid_api_key", "authentication_error", "api_key_invalid", "unauthenticated", "invalid_authentication",
    "account_deactivated", "access_terminated", "token_expired", "missing_api_key", "incorrect_api_key",
)  # fmt: skip
_IS_KEY: Final = _words(
    r"(?:invalid|incorrect|missing|expired|revoked|disabled|no|wrong|bad) (?:api|auth\w*|access|"
    r"subscription)[ _-]?"
    r"(?:key|token|credential)|(?:api[ _-]?key|access token|credentials?)\W.{0,30}(?:not valid|invalid|"
    r"incorrect|"
    r"missing|expired|revoked|disabled|not found|required)|no auth credentials|invalid.{0,20}credentials|"
    r"login fail|(?:organization|account) (?:has been|is|was) (?:disabled|deactivated|suspended)"
)
_IS_REGION_CODE: Final = _codes("unsupported_country_region_territory", "region_not_supported", "geo_blocked")
_IS_REGION: Final = _words(
    r"(?:region|country|territory|location|jurisdiction)\W.{0,40}(?:not|un)[ ]?(?:supported|available|"
    r"allowed)|(?:not|"
    r"un)[ ]?(?:supported|available|allowed).{0,40}(?:region|country|territory|location)|"
    r"terms of (?:service|use)|"
    r"(?:model|provider)(?:'s)? terms"
)
_IS_POLICY: Final = _words(
    r"data policy|guardrail|privacy (?:setting|polic)|zero data retention|\bzdr\b|no allowed providers|"
    r"all providers "
    r"(?:have been|were|are) ignored|provider.{0,20}(?:not allowed|blocked)"
)
_IS_LENGTH_CODE: Final = _codes(
    "context_length_exceeded", "exceed_context_size_error", "request_too_large", "context_window_exceeded",
    "string_too_long", "tokens_limit_reached", "max_tokens_exceeded", "token_limit_exceeded",
)  # fmt: skip
_IS_LENGTH: Final = _words(
    r"context[ _](?:length|window|size)|maximum context|too many (?:input |prompt )?tokens|(?:prompt|input|"
    r"request) "
    r"(?:is )?too (?:long|large)|reduce the length|tokens per (?:minute|day|request).{0,80}requested|"
    r"context limit|(?:input|prompt) (?:token count|length).{0,60}exceed|exceeds? the (?:available|"
    r"maximum).{0,30}(?:context|tokens)|"
    r"max_model_len|\binputs?\W{1,2}tokens \+ "
)
_IS_OUTPUT_LIMIT: Final = _words(r"max[_ ]tokens\b.{0,80}maximum (?:output|completion)")
"""Of the model, whatever the prompt. A relay wraps DeepSeek's as 429 (NousResearch/hermes-agent 90563)."""
_IS_MODEL_CODE: Final = _codes(
    "model_not_found", "model_not_available", "model_not_exist", "model_decommissioned",
    "model_not_supported",
    "deploymentnotfound", "unknown_model", "invalid_model", "model_deprecated", "modelnotfound", "1211",
)  # fmt: skip
_IS_MODEL: Final = _words(
    r"no endpoints (?:found|available) for|not a valid model|(?:model|deployment|"
    r"publisher model)\b.{0,120}?(?:does "
    r"?n[o']t exist|not found|not exist|is not available|not available|no longer (?:available|supported)|"
    r"decommission"
    r"|deprecated|retired|unknown|"
    r"(?:is not|isn['\u2019]t) supported)|models? not support|"
    r"(?:unknown|invalid|unsupported|no such) (?:model|deployment)"
)
UNPARSED: Final = r"expected \S+ format|failed to parse input|error parsing tool call"
"""llama.cpp's and Ollama's, of what a model has written: with a schema four of ten times, without it never
(ggml-org/llama.cpp 27279)."""
_IS_UNPARSED: Final = _words(UNPARSED)
_IS_UNCOMPILED: Final = _words(
    r"grammar|sampler|not supported|unsupported|must be|invalid|unknown|unrecognized"
)
_NAMES_FORM: Final = _words(
    r"response_format|responseformat|response_schema|response_mime_type|json[_ ]schema|json[_ ]object|"
    r"json[_ ]?mode|"
    r"structured[_ ]output|output_config|grammar|guided|additionalproperties|\bstrict\b|max_(?:completion_|"
    r"output_|"
    r"new_)?tokens|maxoutputtokens|completion tokens|system (?:role|message|prompt|instruction)|"
    r"developer (?:role|"
    r"message|instruction)|['\"`]system['\"`]|roles? must alternate|\breasoning|\bthinking\b|\beffort\b|"
    r"require_parameters|requested parameters|no endpoints (?:found|available) that|(?:unknown|unrecognized|"
    r"unsupported|unexpected|extra|additional|invalid) (?:request )?(?:argument|parameter|field|input|key|"
    r"propert)|"
    rf"extra inputs|extra fields|not permitted|{UNPARSED}"
)
FORM_BREAKS: Final = frozenset(
    {"malformed_function_call", "malformed_response", "unexpected_tool_call", "function_call_filter"}
)
"""Google's: the model's answer did not come to what the schema makes of it. With another schema, or with
none, the same question was answered (pydantic/pydantic-ai 7816, googleapis/python-genai 1836)."""
_IS_FORM_CODE: Final = _codes(
    *FORM_BREAKS,
    "unsupported_parameter", "unknown_parameter", "unsupported_value", "extra_forbidden",
    "invalid_json_schema",
    "json_validate_failed",
)  # fmt: skip
_IS_RATE_CODE: Final = _codes(
    "rate_limit_exceeded", "rate_limit_error", "rate_limited", "ratelimitexceeded", "overloaded_error",
    "overloaded",
    "engine_overloaded", "engine_overloaded_error", "resource_exhausted", "too_many_requests", "slow_down",
    "throttling", "server_overloaded", "requests_limit_exceeded", "quota_exceeded", "token_quota_exceeded",
    "request_quota_exceeded", "rate_limit_daily", "1002", "1039",
)  # fmt: skip
_IS_RATE: Final = _words(
    r"rate[ -]?limit|too many requests|error code: 429|overloaded|\bat capacity|temporarily|"
    r"try again (?:later|in)|high (?:demand|load)|"
    r"server is busy|currently loading|throttl|in-?flight"
)
_IS_PASSING_CODE: Final = _codes(
    "server_error", "internal_server_error", "api_error", "internal_error", "timeout", "service_unavailable",
    "unavailable", "internal", "deadline_exceeded", "model_error",
)  # fmt: skip
_IS_ADDRESS: Final = _words(
    r"^not found\.?$|\b404\b.{0,3}not[ _]found|unexpected endpoint|"
    r"unknown (?:request )?(?:url|path|endpoint|route)|invalid url\b|"
    r"could not route|(?:route|path|url|endpoint) not found|no (?:such )?route|cannot post "
)
"""Inside of a 200; LM Studio: "Unexpected endpoint or method. (POST /chat/completions)"."""
_ON_MODELS: Final = _words(r"model|deployment|endpoints")

_ASKS_TO_WAIT: Final = _words(
    r"please wait|wait before|try again later|tokens per \w+ limit exceeded|too many tokens processed"
)
"""A minute's, and not the prompt's. Amazon: "Too many tokens, please wait before trying again."; Cerebras:
"Tokens per minute limit exceeded - too many tokens processed."."""
_WANTS_PROOF: Final = _words(r"organization must be verified")
"""OpenAI, with the code of a model that is not there."""
_IS_CUT_OFF: Final = _words(
    r"could not finish the message|with (?:a )?(?:higher|larger) max_(?:completion_)?tokens"
)
"""OpenAI's, of an answer whose reasoning has used up all tokens."""

_MOVED: Final = frozenset({301, 308})
_NO_PLACE: Final = frozenset({404, 405, 410})
_OF_ACCOUNT: Final = frozenset({401, 402, 403})
_PASSING: Final = frozenset({408, 409, 425, 498, 499})
_SERVER_LEAST: Final = 500


def _is_refused(refusal: Refusal) -> bool:
    """Return whether the status, if there is one, blames the request and no passing trouble."""
    return (refusal.status == 0 or 400 <= refusal.status < _SERVER_LEAST) and refusal.status not in _PASSING  # noqa: PLR2004


def _is_credit(refusal: Refusal) -> bool:
    if _codes("insufficient_quota")(refusal) and refusal.retry_after_s is None:
        return True
    if refusal.status == 429 and _IS_RATE_CODE(refusal) and not _IS_CREDIT_CODE(refusal):  # noqa: PLR2004
        return False  # Google says "check your plan and billing" also of a minute's requests
    named = refusal.status == 402 or _IS_CREDIT_CODE(refusal) or _IS_CREDIT(refusal)  # noqa: PLR2004
    return _is_refused(refusal) and named and refusal.retry_after_s is None and not _is_of_provider(refusal)


def _is_of_provider(refusal: Refusal) -> bool:
    """A router's provider refuses the router, not us: another provider or model may do."""
    return bool(refusal.provider) and refusal.status in _OF_ACCOUNT


def _is_key(refusal: Refusal) -> bool:
    named = refusal.status == 401 or _IS_KEY_CODE(refusal) or _IS_KEY(refusal)  # noqa: PLR2004
    return refusal.status in {0, 400, 401, 403} and named and not _is_of_provider(refusal)


def _is_form(refusal: Refusal) -> bool:
    """Also with 5xx: some servers break at a schema that they cannot compile."""
    if _IS_OUTPUT_LIMIT(refusal) and (_is_refused(refusal) and refusal.retry_after_s is None):
        return True
    named = _NAMES_FORM(refusal) or _IS_FORM_CODE(refusal) or refusal.param.startswith(_FORM_PARAMS)
    is_ours = refusal.status in {0, 400, 404, 415, 422, 500, 501, 502} and refusal.status not in _PASSING
    return is_ours and named and not _IS_RATE_CODE(refusal)


_FORM_PARAMS: Final = (
    "response_format", "max_tokens", "max_completion_tokens", "reasoning", "provider", "usage", "messages.0",
    "messages[0]", "body.response_format",
)  # fmt: skip


def _is_length(refusal: Refusal) -> bool:
    if _IS_OUTPUT_LIMIT(refusal):
        return False
    if refusal.status in {0, 429} and (refusal.retry_after_s is not None or _ASKS_TO_WAIT(refusal)):
        return False  # a minute's or a day's tokens are used up, and come back
    named = _IS_LENGTH_CODE(refusal) or (_is_refused(refusal) and _IS_LENGTH(refusal))
    return refusal.status == 413 or named  # noqa: PLR2004


def _is_model(refusal: Refusal) -> bool:
    if refusal.status in _NO_PLACE and not refusal.is_page and _ON_MODELS(refusal):
        return True
    return _is_refused(refusal) and (
        _IS_MODEL_CODE(refusal) or _IS_MODEL(refusal) or refusal.param == "model"
    )


def _is_address(refusal: Refusal) -> bool:
    if refusal.is_page:
        return refusal.status in {0, 200, *_NO_PLACE}
    return refusal.status in _NO_PLACE or (refusal.is_in_answer and _IS_ADDRESS(refusal))


def _is_rate(refusal: Refusal) -> bool:
    if refusal.status in {402, 403, 429, 529} and refusal.retry_after_s is not None:
        return True
    return refusal.status in {429, 529} or _IS_RATE_CODE(refusal) or (
        _IS_RATE(refusal) and refusal.status not in {401, *_NO_PLACE}
    )  # fmt: skip


def _is_request(refusal: Refusal) -> bool:
    if refusal.status == 501:  # noqa: PLR2004
        return True
    return refusal.status != 0 and _is_refused(refusal) and not _IS_PASSING_CODE(refusal)


_SEEN: Final[tuple[tuple[Fault, Callable[[Refusal], bool]], ...]] = (
    (Fault.MOVED, lambda refusal: refusal.status in _MOVED),
    (Fault.FILTER, lambda r: _is_refused(r) and (r.is_flagged or _IS_FILTER_CODE(r) or _IS_FILTER(r))),
    (Fault.CREDIT, _is_credit),
    (Fault.POLICY, lambda r: r.status in {400, 403, 404} and _IS_POLICY(r)),
    (Fault.KEY, _is_key),
    (Fault.REGION, lambda r: r.status == 451 or (  # noqa: PLR2004
        _is_refused(r) and (_IS_REGION_CODE(r) or (r.status in {400, 403} and _IS_REGION(r))))),
    (Fault.LENGTH, _is_length),
    (Fault.FORBIDDEN, _WANTS_PROOF),
    (Fault.MODEL, lambda r: _IS_MODEL_CODE(r) or (_is_model(r) and not _is_form(r))),
    (Fault.FORM, _is_form),
    (Fault.RATE, _is_rate),
    (Fault.ADDRESS, _is_address),
    (Fault.FORBIDDEN, lambda r: r.status == 403 or _is_of_provider(r)),  # noqa: PLR2004
    (Fault.REQUEST, _is_request),
)  # fmt: skip
"""The first that fits; an error of 5xx that names none of them is passing."""


def is_after_work(refusal: Refusal) -> bool:
    """Return whether a server may have broken at what the model wrote, and not at the request."""
    is_broken = is_broken_at_form(refusal) and _is_form(refusal)
    return is_broken and (_IS_UNPARSED(refusal) or not _IS_UNCOMPILED(refusal))


def is_broken_at_form(refusal: Refusal) -> bool:
    """Return whether server or model broke at a form, and did not refuse it: it may pass by itself."""
    return refusal.status >= _SERVER_LEAST or not FORM_BREAKS.isdisjoint(refusal.codes)


def is_cut_off(refusal: Refusal) -> bool:
    """Return whether a refusal says that the answer was not finished: it was cut off at its limit."""
    return _is_refused(refusal) and _IS_CUT_OFF(refusal)


def is_of_api(refusal: Refusal | None) -> bool:
    """Return whether a refusal shows that the address is an API's, though it may have been refused."""
    return refusal is not None and bool(refusal.message) and not (refusal.is_page or _is_address(refusal))


def fault_of(refusal: Refusal, *, has_answered: bool = False) -> Fault:
    """Return what a refusal says; `has_answered`: the endpoint has given good answers before."""
    for fault, is_it in _SEEN:
        if is_it(refusal):
            return Fault.PASSING if has_answered and fault is Fault.ADDRESS else fault
    return Fault.PASSING
