"""In which form a model is asked, and what refusals teach of it, in real providers' words."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.errors import Refusal
from gather_worker.llm.preferences import ModelPreferences, ProviderPreferences
from gather_worker.llm.request_form import (
    LIMIT_LEAST,
    RequestForm,
    Shape,
    first_form,
    other_form,
    plainer_form,
    with_less_reasoning,
    without_system,
)

# ruff: noqa: E501 - one refusal a line

PLAIN = first_form(is_openrouter=False)
ROUTED = first_form(is_openrouter=True, preferences=ModelPreferences(reasoning_effort="high"))
SCHEMA = {"name": "generate", "strict": True, "schema": {"type": "object"}}
MESSAGES = [{"role": "system", "content": "rules"}, {"role": "user", "content": "write"}]

NAMED: list[tuple[str, dict[str, Any], str]] = [
    ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", {}, '{"limit":"max_completion_tokens"}'),
    ("max_tokens is too large: 8000. This model supports at most 4096 completion tokens, whereas you provided 8000.", {}, '{"most":4096}'),
    ("max_tokens: 8000 > 4096, which is the maximum allowed number of output tokens for claude-3-haiku-20240307", {}, '{"most":4096}'),
    ("integer above maximum value, expected a value <= 4288, but got 8000 instead: max_completion_tokens", {}, '{"most":4288}'),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 4192]", {}, '{"most":4192}'),
    ("it has a maxOutputTokens value of 8000 but the supported range is from 1 (inclusive) to 4097 (exclusive).", {}, '{"most":4096}'),
    ("`max_tokens` must be less than or equal to `4,096`", {}, '{"most":4096}'),
    ("max_tokens is too large", {}, '{"most":4000}'),
    ("Malformed input request: #: extraneous key [max_tokens] is not permitted", {}, '{"limit":"max_completion_tokens"}'),
    ("You requested up to 8000 tokens, but can only afford 3919. Use fewer max_tokens", {}, '{"most":3919}'),
    ("This model's maximum context length is 8192 tokens. However, you requested 9256 tokens (1256 in the messages, 8000 in the completion).", {}, '{"most":6872}'),
    ("'max_tokens' is too large: 8000. This model's maximum context length is 12001 tokens and your request has 4235 input tokens", {}, '{"most":7702}'),
    ("This model's maximum context length is 8192 tokens. However, you requested 8000 output tokens and your prompt contains at least 193 input tokens, for a total of at least 8193 tokens.", {}, '{"most":4000}'),
    ("This model's maximum context length is 8192 tokens. However, you requested 8000 output tokens and your prompt contains at least 6000 input tokens, for a total of at least 14000 tokens.", {}, '{"most":2128}'),
    ("You passed 193 input tokens and requested 8000 output tokens. However, the model's context length is only 8192 tokens", {}, '{"most":4000}'),
    ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 1204 `inputs` tokens and 8000 `max_new_tokens`", {}, '{"most":6924}'),
    ("too many tokens: max tokens must be less than or equal to 4096, the maximum output length for this model - received 8000.", {}, '{"most":4096}'),
    ("max_tokens (8000) exceeds model's maximum output tokens (4096)", {}, '{"most":4096}'),
    ("on tokens per minute (TPM): Limit 6000, Requested 9328, please reduce your message size", {}, '{"most":4608}'),
    ("This response_format type is unavailable now", {}, '{"shape":"json_object"}'),
    ("'response_format.type' must be 'json_schema' or 'text'", {"shape": Shape.OBJECT}, '{"shape":"none"}'),
    ("Failed to initialize samplers: failed to parse grammar", {}, '{"shape":"json_object"}'),
    ("Unknown name \"strict\" at 'response_format.json_schema': Cannot find field.", {}, '{"strict":false}'),
    ("Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field.", {}, '{"shape":"json_object"}'),
    ("Developer instruction is not enabled for models/gemma-3-27b-it", {}, '{"system":false}'),
    ("'messages[0].role' does not support 'system' with this model.", {}, '{"system":false}'),
    ("Conversation roles must alternate user/assistant", {}, '{"system":false}'),
]  # fmt: skip


@pytest.mark.parametrize(("words", "change", "learned"), NAMED, ids=[str(n) for n in range(len(NAMED))])
def test_what_a_refusal_names_is_left_out(words: str, change: dict[str, Any], learned: str) -> None:
    """One part at a time, and the limit as far as the words say."""
    other = other_form(replace(PLAIN, **change), Refusal(400, message=words), 8000)
    assert other is not None
    assert other.learned() == learned


@pytest.mark.parametrize(
    ("words", "param", "left_out"),
    [
        ("No endpoints found that can handle the requested parameters.", "", "provider.require_parameters"),
        ("Extra inputs are not permitted", "usage", "usage"),
        ("Unrecognized request argument supplied: reasoning", "", "reasoning"),
    ],
)
def test_a_field_of_ours_is_left_out(words: str, param: str, left_out: str) -> None:
    """And no other."""
    other = other_form(ROUTED, Refusal(400, param=param, message=words), 8000)
    assert other is not None
    assert other.dropped == {left_out}


@pytest.mark.parametrize(
    "words",
    ["Provider returned error", "", "No endpoints found matching your data policy",
     "You requested up to 8000 tokens, but can only afford 12. Use fewer max_tokens"],
)  # fmt: skip
def test_words_that_name_nothing_teach_nothing(words: str) -> None:
    """A limit that is not worth its prompt is none."""
    assert other_form(ROUTED, Refusal(400, message=words), 8000) is None


def test_guesses_become_plainer_and_end() -> None:
    """Shape by shape, then without system message and without fields of ours."""
    forms = [ROUTED]
    while (following := plainer_form(forms[-1])) is not None:
        forms.append(following)
    assert [form.shape.value for form in forms] == ["json_schema", "json_object", "none", "none"]
    body = forms[-1].body("m/x", MESSAGES, SCHEMA, 4000)
    assert body == {
        "model": "m/x", "messages": [{"role": "user", "content": "rules\n\nwrite"}], "max_tokens": 4000,
    }  # fmt: skip


def test_what_a_user_has_set_is_never_left_out() -> None:
    """Provider preferences keep a script confidential; further fields are the user's own."""
    provider = ProviderPreferences(data_collection="deny", zdr=True, require_parameters=True)
    wishes = ModelPreferences(
        provider=provider, extra_body={"temperature": 0.7, "reasoning": {"enabled": False}}
    )
    form: RequestForm | None = first_form(is_openrouter=True, preferences=wishes)
    while form is not None:
        body = form.body("m/x", MESSAGES, SCHEMA, 4000)
        assert body["provider"] == {"data_collection": "deny", "zdr": True, "require_parameters": True}
        assert (body["temperature"], body["reasoning"]) == (0.7, {"enabled": False})
        assert with_less_reasoning(form) == form
        form = plainer_form(form)
    learned = first_form(is_openrouter=True, preferences=wishes).with_learned(
        '{"without":["provider","provider.zdr","provider.require_parameters","temperature"]}'
    )
    assert learned.dropped == frozenset()


def test_less_reasoning_is_asked_for_in_the_endpoint_s_own_form() -> None:
    """OpenRouter has an object for it, others a field."""
    less = with_less_reasoning(ROUTED)
    assert less.body("m", MESSAGES, SCHEMA, 10)["reasoning"] == {"effort": "medium"}
    assert with_less_reasoning(PLAIN).body("m", MESSAGES, SCHEMA, 10)["reasoning_effort"] == "low"
    refused = other_form(
        with_less_reasoning(PLAIN), Refusal(400, message="Unknown parameter: reasoning_effort"), 10
    )
    assert refused is not None
    assert "reasoning_effort" not in refused.body("m", MESSAGES, SCHEMA, 10)


FORMS = st.builds(
    RequestForm,
    st.just(ROUTED.extra),
    shape=st.sampled_from(Shape),
    is_strict=st.booleans(),
    limit_field=st.sampled_from(["max_tokens", "max_completion_tokens"]),
    limit_max=st.none() | st.integers(1, 100_000),
    has_system=st.booleans(),
    dropped=st.frozensets(st.sampled_from(["usage", "reasoning", "provider.require_parameters"])),
    effort=st.sampled_from(["", "low", "medium"]),
)


@given(FORMS)
def test_what_was_learned_is_read_again(form: RequestForm) -> None:
    """From the ledger, by another process of the run."""
    assert ROUTED.with_learned(form.learned()) == form


@given(st.text(max_size=100))
def test_a_form_that_cannot_be_read_is_the_first_one(text: str) -> None:
    """A ledger of another version ends nothing."""
    assert isinstance(ROUTED.with_learned(text), RequestForm)


@given(st.text(max_size=200), FORMS, st.integers(1, 64_000))
def test_no_words_crash_and_every_form_can_be_sent(words: str, form: RequestForm, asked: int) -> None:
    """A limit is never below what is worth a prompt, and never above what was asked for."""
    other = other_form(form, Refusal(400, message=f"{words} max_tokens {words}"), asked)
    if other is not None and other.limit_max != form.limit_max:
        assert other.limit_max is not None
        assert LIMIT_LEAST <= other.limit_max < asked
    assert (other or form).body("m", MESSAGES, SCHEMA, asked)["messages"]


def test_the_rules_go_before_the_user_s_words() -> None:
    """Where a model takes no system message."""
    assert without_system(MESSAGES) == [{"role": "user", "content": "rules\n\nwrite"}]
    assert MESSAGES[1]["content"] == "write"
