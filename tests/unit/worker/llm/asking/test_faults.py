"""What a refusal says, of real providers' words; and what is done after it."""

from itertools import product

import pytest

from dev.paths import ROOT
from gather_contracts.resource import MESSAGE_MAX
from gather_worker.errors import Refusal
from gather_worker.llm.asking.faults import Fault, fault_of
from gather_worker.llm.failures import ATTEMPTS_MAX, RULES, End, Situation, Step, next_step, said, table

# ruff: noqa: E501 - one refusal a line

SEEN: list[tuple[Fault, int, tuple[str, ...], str]] = [
    (Fault.FORM, 400, ("unsupported_parameter",), "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
    (Fault.FORM, 400, (), "max_tokens is too large: 8000. This model supports at most 4096 completion tokens"),
    (Fault.FORM, 400, (), "'response_format.type' must be 'json_schema' or 'text'"),
    (Fault.FORM, 400, (), "This response_format type is unavailable now"),
    (Fault.FORM, 400, ("INVALID_ARGUMENT",), "Developer instruction is not enabled for models/gemma-3-27b-it"),
    (Fault.FORM, 400, ("unsupported_value",), "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
    (Fault.FORM, 404, (), "No endpoints found that can handle the requested parameters."),
    (Fault.FORM, 422, ("extra_forbidden",), "Extra inputs are not permitted"),
    (Fault.FORM, 500, (), "failed to parse grammar"),
    (Fault.POLICY, 404, (), "No endpoints found matching your data policy (Paid model training). Configure: https://openrouter.ai/settings/privacy"),
    (Fault.POLICY, 404, (), "No endpoints available matching your guardrail restrictions and data policy"),
    (Fault.MODEL, 404, (), "No endpoints found for a/b:free."),
    (Fault.MODEL, 400, (), "a/b is not a valid model ID"),
    (Fault.MODEL, 404, (), "model 'x' not found, try pulling it first"),
    (Fault.MODEL, 404, ("model_not_found",), "The model `gpt-9` does not exist or you do not have access to it."),
    (Fault.MODEL, 400, ("model_decommissioned",), "The model `x` has been decommissioned and is no longer supported."),
    (Fault.MODEL, 404, ("DeploymentNotFound",), "The API deployment for this resource does not exist."),
    (Fault.ADDRESS, 404, (), "Not Found"),
    (Fault.ADDRESS, 404, (), "Invalid URL (POST /v1/v1/chat/completions)"),
    (Fault.ADDRESS, 405, (), ""),
    (Fault.LENGTH, 400, ("context_length_exceeded",), "This model's maximum context length is 8192 tokens."),
    (Fault.LENGTH, 413, ("rate_limit_exceeded",), "Request too large for model on tokens per minute (TPM): Limit 6000, Requested 9000"),
    (Fault.LENGTH, 400, (), "prompt is too long: 210000 tokens > 200000 maximum"),
    (Fault.LENGTH, 422, ("validation",), "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2019 `inputs` tokens and 30 `max_new_tokens`"),
    (Fault.FORM, 400, ("TOO_MANY_TOKENS",), "too many tokens: max tokens must be less than or equal to 4096, the maximum output length for this model - received 8192."),
    (Fault.FORM, 429, (), "max_tokens (98304) exceeds model's maximum output tokens (65536)"),
    (Fault.RATE, 429, ("too_many_tokens_error", "token_quota_exceeded"), "Tokens per minute limit exceeded - too many tokens processed."),
    (Fault.RATE, 0, ("token_quota_exceeded",), "Tokens per day limit exceeded - too many tokens processed."),
    (Fault.KEY, 401, (), "User not found."),
    (Fault.KEY, 400, ("INVALID_ARGUMENT", "API_KEY_INVALID"), "API key not valid. Please pass a valid API key."),
    (Fault.CREDIT, 402, (), "Insufficient credits"),
    (Fault.CREDIT, 429, ("insufficient_quota",), "You exceeded your current quota, please check your plan and billing details."),
    (Fault.CREDIT, 400, ("invalid_request_error",), "Your credit balance is too low to access the Anthropic API."),
    (Fault.CREDIT, 403, (), "Key limit exceeded (total limit). Manage it"),
    (Fault.FILTER, 400, ("content_filter",), "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."),
    (Fault.FILTER, 400, ("invalid_request_error",), "Content Exists Risk"),
    (Fault.FILTER, 400, ("data_inspection_failed",), "Input data may contain inappropriate content."),
    (Fault.FILTER, 403, (), 'a/b requires moderation on OpenRouter. Your input was flagged for "violence"'),
    (Fault.REGION, 403, ("unsupported_country_region_territory",), "Country, region, or territory not supported"),
    (Fault.REGION, 400, ("FAILED_PRECONDITION",), "User location is not supported for the API use."),
    (Fault.FORBIDDEN, 403, ("PERMISSION_DENIED",), "Permission denied on resource project gather."),
    (Fault.RATE, 429, (), "no"),
    (Fault.RATE, 529, ("overloaded_error",), "Overloaded"),
    (Fault.RATE, 0, ("rate_limit_exceeded",), "Rate limit reached for requests"),
    (Fault.RATE, 429, ("RESOURCE_EXHAUSTED",), "You exceeded your current quota, please check your plan and billing details."),
    (Fault.REGION, 403, (), "This model is not available in your region."),
    (Fault.POLICY, 404, (), "No allowed providers are available for the selected model."),
    (Fault.FORM, 400, (), "Malformed input request: #: extraneous key [max_tokens] is not permitted, please reformat your input"),
    (Fault.PASSING, 502, (), "Upstream error from AtlasCloud: Unexpected token 173781 while expecting start token 200006"),
    (Fault.REQUEST, 400, (), "Provider returned error"),
    (Fault.REQUEST, 422, (), ""),
    (Fault.PASSING, 500, (), "Internal server error"),
    (Fault.PASSING, 0, (), "boom"),
    (Fault.PASSING, 302, (), ""),
    (Fault.PASSING, 408, (), "timeout"),
    (Fault.PASSING, 503, (), "No available model provider meets your routing requirements"),
    (Fault.MOVED, 308, (), ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "status", "codes", "message"),
    SEEN,
    ids=[f"{number} {row[0]}" for number, row in enumerate(SEEN)],
)
def test_a_refusal_is_known(fault: Fault, status: int, codes: tuple[str, ...], message: str) -> None:
    """By its status, its codes and its words."""
    assert fault_of(Refusal(status, codes, message=message)) is fault


def test_a_provider_that_refuses_the_router_is_not_our_key_or_credit() -> None:
    """Another model may have another provider."""
    for status in (401, 402, 403):
        assert fault_of(Refusal(status, message="no", provider="Azure")) is Fault.FORBIDDEN


@pytest.mark.parametrize("status", [402, 429, 503])
def test_a_time_to_wait_makes_it_passing(status: int) -> None:
    """402 with Retry-After is a budget that frees itself; Google's quota names the minute's."""
    refusal = Refusal(status, message="You exceeded your current quota", retry_after_s=20)
    assert RULES[fault_of(refusal)].end is End.LATER


def test_a_page_is_a_wrong_address_until_the_endpoint_has_answered() -> None:
    """Then it is a proxy's, and passes."""
    for page in (Refusal(200, is_page=True), Refusal(404, is_page=True), Refusal(404)):
        assert fault_of(page) is Fault.ADDRESS
        assert fault_of(page, has_answered=True) is Fault.PASSING
    assert fault_of(Refusal(502, is_page=True)) is Fault.PASSING


@pytest.mark.parametrize(
    ("fault", "now", "step"),
    [
        (Fault.FORM, Situation(1, has_named_form=True, has_fallback=True), Step.OTHER_FORM),
        (Fault.FORM, Situation(1, has_guessed_form=True), Step.AGAIN),
        (Fault.REQUEST, Situation(1, has_guessed_form=True, has_fallback=True), Step.AGAIN),
        (Fault.REQUEST, Situation(2, has_guessed_form=True, has_fallback=True), Step.OTHER_FORM),
        (Fault.REQUEST, Situation(4, has_fallback=True), Step.FALLBACK),
        (Fault.REQUEST, Situation(4), Step.END),
        (Fault.FILTER, Situation(1, has_fallback=True), Step.AGAIN),
        (Fault.FILTER, Situation(2, has_fallback=True), Step.FALLBACK),
        (Fault.FILTER, Situation(2), Step.END),
        (Fault.FILTER, Situation(2, has_guessed_form=True, has_fallback=True), Step.OTHER_FORM),
        (Fault.POLICY, Situation(1, has_named_form=True, has_guessed_form=True), Step.AGAIN),
        (Fault.POLICY, Situation(2, has_guessed_form=True), Step.OTHER_FORM),
        (Fault.MODEL, Situation(1, has_named_form=True), Step.OTHER_FORM),
        (Fault.KEY, Situation(1, has_fallback=True), Step.AGAIN),
        (Fault.KEY, Situation(2, has_fallback=True), Step.END),
        (Fault.CREDIT, Situation(1, has_fallback=True), Step.END),
        (Fault.CREDIT, Situation(1, has_named_form=True), Step.OTHER_FORM),
        (Fault.LENGTH, Situation(1, has_named_form=True, has_guessed_form=True), Step.OTHER_FORM),
        (Fault.LENGTH, Situation(1, has_guessed_form=True, has_fallback=True), Step.OTHER_FORM),
        (Fault.LENGTH, Situation(2, has_guessed_form=True, has_fallback=True), Step.FALLBACK),
        (Fault.LENGTH, Situation(2, has_guessed_form=True), Step.END),
        (Fault.RATE, Situation(ATTEMPTS_MAX - 1), Step.AGAIN),
    ],
)
def test_the_table_says_what_is_next(fault: Fault, now: Situation, step: Step) -> None:
    """Named form, again, guessed form, fallback, end: the first that the row has."""
    assert next_step(fault, now) is step


def test_only_what_a_person_must_change_ends_for_good_and_never_at_once() -> None:
    """One refusal that the same request then survives is no reason to give a department up."""
    for fault, rule in RULES.items():
        if rule.end is End.PERSON:
            assert rule.again >= 1 or rule.is_named, fault
            assert rule.guess or rule.is_named or rule.forms.startswith("none, "), fault
            assert rule.advice, fault
        # Half of a short answer would be too short, and no form is left then.
        guesses = (True,) if fault is Fault.LENGTH else (False, True)
        flags = product((False, True), guesses, (False, True))
        steps = {next_step(fault, Situation(1, *each)) for each in flags}
        assert Step.END not in steps or rule.end is not End.PERSON, fault


def test_the_words_name_model_setting_and_the_endpoint_s_own() -> None:
    """In this order: a condition's message is cut at 256 characters."""
    refusal = Refusal(404, ("model_not_found",), message="The model `m/x` does not exist")
    words = said("m/x", refusal, Fault.MODEL)
    assert words.startswith(
        "model m/x: name a model that the endpoint has: defaultModel in the CMS, GATHER_DEFAULT_MODEL"
    )
    assert words.endswith("the endpoint answered 404 model_not_found: The model `m/x` does not exist")


def test_the_documentation_has_the_table() -> None:
    """As it is, line by line."""
    text = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in text


@pytest.mark.parametrize("fault", RULES)
def test_the_endpoints_own_words_have_room_in_a_condition(fault: Fault) -> None:
    """Behind the model's name and the advice, which come first."""
    refusal = Refusal(404, ("model_not_found",), message="x" * MESSAGE_MAX)
    assert said("meta-llama/llama-3.3-70b-instruct:free", refusal, fault)[:MESSAGE_MAX].count("x") >= 40


@pytest.mark.parametrize(
    "words",
    [
        "Unexpected endpoint or method. (POST /chat/completions)",
        "Not Found",
        "Unknown request URL: POST /chat/completions.",
        "Could not route to /chat/completions, perhaps your object identifier is invalid?",
    ],
)
def test_an_error_in_a_200_can_be_a_wrong_address(words: str) -> None:
    """LM Studio answers so without /v1; a path of its own is no matter of a model that has answered."""
    refusal = Refusal(message=words, is_in_answer=True)
    assert fault_of(refusal) is Fault.ADDRESS
    assert fault_of(refusal, has_answered=True) is Fault.PASSING
