"""The models' settings: what is taken, and that a wrong one is named, its field too, and never its value."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from gather_clients.configuration import secrets_of
from gather_clients.logs import without_secrets
from gather_worker.check.checklist import CheckSettings
from gather_worker.errors import InvalidInput
from gather_worker.model_settings import ModelSettings
from gather_worker.settings import Settings, read_settings

SECRET = "sekret-12345"  # noqa: S105


@pytest.fixture(autouse=True)
def _needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set what every worker needs, and nothing else."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    for name in ("MONGODB_URI", "BRAIN_SERVICE_BASE_URL", "BRAIN_SERVICE_API_KEY"):
        monkeypatch.setenv(name, "http://x")
    monkeypatch.setenv("REDIS_URL", "redis://redis")


def read(monkeypatch: pytest.MonkeyPatch, **variables: Any) -> Settings:
    """Return the settings with these variables, in JSON unless they are texts."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))
    return read_settings(Settings)


def test_without_settings_a_request_says_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes to OpenRouter."""
    wanted = read(monkeypatch).model_preferences
    assert (wanted.provider.fields(), wanted.extra_body, wanted.fallback_models) == ({}, {}, ())
    assert (wanted.reasoning_effort, wanted.reasoning_max_tokens) == (None, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("a/b", ("a/b",)), ("a/b, c:free,,a/b ", ("a/b", "c:free")), ("", ())],
    ids=["one", "several", "none"],
)
def test_fallback_models_stand_between_commas(
    monkeypatch: pytest.MonkeyPatch, given: str, expected: tuple[str, ...]
) -> None:
    """The setting of one model is a list of one."""
    assert read(monkeypatch, GATHER_LLM_FALLBACK_MODEL=given).model_preferences.fallback_models == expected


def test_the_providers_preferences_are_sent_as_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset ones are left to OpenRouter; a false one is none that is unset."""
    provider = {
        "data_collection": "deny", "zdr": True, "only": ["azure"], "ignore": [], "order": ["azure", "openai"],
        "allow_fallbacks": False, "require_parameters": False, "max_price": {"prompt": 1, "completion": 2.5},
        "quantizations": ["fp16"], "sort": "price", "preferred_min_throughput": 20.0,
        "preferred_max_latency": 3.0, "enforce_distillable_text": False,
    }  # fmt: skip
    assert read(monkeypatch, GATHER_LLM_PROVIDER=provider).model_preferences.provider.fields() == provider


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GATHER_LLM_PROVIDER": "{"}, "GATHER_LLM_PROVIDER: cannot be read: it is not JSON"),
        ({"GATHER_LLM_PROVIDER": {"zdr": "yes"}}, "GATHER_LLM_PROVIDER.zdr: Input should be a valid boolean"),
        ({"GATHER_LLM_PROVIDER": {"max_price": {"prompt": -1}}}, "GATHER_LLM_PROVIDER.max_price.prompt: "),
        ({"GATHER_LLM_PROVIDER": {SECRET: 1}}, "GATHER_LLM_PROVIDER: has a field that is none of data_coll"),
        ({"GATHER_LLM_PROVIDER": {"max_price": {SECRET: 1}}}, "max_price: has a field that is none of "),
        ({"GATHER_LLM_PROVIDER": {"data_collection": SECRET}}, "GATHER_LLM_PROVIDER.data_collection: "),
        ({"GATHER_LLM_REASONING_EFFORT": SECRET}, "GATHER_LLM_REASONING_EFFORT: "),
        ({"GATHER_LLM_REASONING_EFFORT": "low", "GATHER_LLM_REASONING_MAX_TOKENS": "9"}, "refuse both"),
        ({"GATHER_LLM_REASONING_MAX_TOKENS": "8000", "GATHER_LLM_MAX_TOKENS": "9000"}, "can be 7976 at most"),
        ({"GATHER_LLM_MAX_TOKENS": "1023"}, "MAX_TOKENS: Input should be greater than or equal to 1024"),
        ({"GATHER_LLM_REASONING_EFFORT": "low", "GATHER_LLM_EXTRA_BODY": {"reasoning": {}}}, "drop one"),
        ({"GATHER_LLM_EXTRA_BODY": {"a": [{"b": float("nan")}]}}, "GATHER_LLM_EXTRA_BODY: has a number that"),
        ({"GATHER_LLM_EXTRA_BODY": "[" * 100_000}, "nested too deep"),
        ({"GATHER_LLM_EXTRA_BODY": [SECRET]}, "GATHER_LLM_EXTRA_BODY: Input should be a valid dict"),
        ({"GATHER_LLM_EXTRA_BODY": {"max_tokens": SECRET}}, "max_tokens is decided by GATHER_LLM_MAX_TOKENS"),
        ({"GATHER_LLM_EXTRA_BODY": {"x": "x" * 20_000}}, "GATHER_LLM_EXTRA_BODY: must have at most 16384"),
        ({"GATHER_LLM_EXTRA_HEADERS": {"a b": SECRET}}, "GATHER_LLM_EXTRA_HEADERS: has a name that"),
        ({"GATHER_LLM_EXTRA_HEADERS": {"a": f"{SECRET}\n"}}, "GATHER_LLM_EXTRA_HEADERS: has a value that"),
        ({"GATHER_LLM_EXTRA_HEADERS": {"a": SECRET, "A": "b"}}, "GATHER_LLM_EXTRA_HEADERS: has a header t"),
        ({"GATHER_LLM_EXTRA_HEADERS": {"Host": SECRET}}, "GATHER_LLM_EXTRA_HEADERS: has a header that the c"),
        ({"GATHER_LLM_EXTRA_HEADERS": {"authorization": SECRET}, "OPENROUTER_API_KEY": "k"}, "drop one"),
        ({"GATHER_LLM_PROXY": f"socks5://u:{SECRET}@p:1"}, "GATHER_LLM_PROXY: must be the http:// or https://"),
        ({"GATHER_LLM_CA_FILE": f"/none/{SECRET}"}, "GATHER_LLM_CA_FILE: is not a file of PEM certificates"),
        ({"GATHER_LLM_FALLBACK_MODEL": f"{SECRET}{'x' * 128}"}, "GATHER_LLM_FALLBACK_MODEL: must be models'"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any], said: str
) -> None:
    """With the field of a JSON object where it is one of ours."""
    with pytest.raises(InvalidInput) as caught:
        read(monkeypatch, **variables)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_headers_are_secrets_and_may_be_the_only_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Azure's `api-key`, from a file of the Secret; logs strike it out."""
    (tmp_path / "GATHER_LLM_EXTRA_HEADERS").write_text(json.dumps({"api-key": SECRET}), encoding="utf-8")
    found = read(monkeypatch)
    assert found.llm_headers == {"api-key": SECRET}
    assert SECRET in secrets_of(found)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("name", "value", "is_struck"),
    [
        ("X-Title", "Gather", False),
        ("HTTP-Referer", "https://films.example.com", False),
        ("User-Agent", "Gather/1.0 (films)", False),
        ("HTTP-Referer", f"https://u:{SECRET}@films.example.com", True),
        ("HTTP-Referer", f"https://films.example.com/?key={SECRET}", True),
        ("X-Title", "sk-or-v1-0123456789abcdef01", True),
        ("api-key", SECRET, True),
        ("X-Whatever", "Gather", True),
        ("Cookie", "session", True),
        ("Authorization", f"Bearer {SECRET}", True),
    ],
)
def test_only_what_may_be_a_secret_is_struck_out_of_logs(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, is_struck: bool
) -> None:
    """A title's words stand in every other line; what is in no list of harmless names is a secret."""
    assert (value in secrets_of(read(monkeypatch, GATHER_LLM_EXTRA_HEADERS={name: value}))) is is_struck
    said = without_secrets(f"the endpoint said: {value}")
    assert ("***" in said) is is_struck
    assert SECRET not in without_secrets(f"no key {SECRET}") or SECRET not in value


def test_a_key_goes_beside_other_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a bearer token."""
    found = read(monkeypatch, OPENROUTER_API_KEY="k", GATHER_LLM_EXTRA_HEADERS={"X-Title": "Gather"})
    assert found.llm_headers == {"Authorization": "Bearer k", "X-Title": "Gather"}


@pytest.mark.parametrize("kind", [Settings, CheckSettings, ModelSettings], ids=lambda kind: kind.__name__)
def test_no_rule_of_settings_hides_that_of_others_beside_them(kind: type[BaseSettings]) -> None:
    """Of two groups whose rules have one name, pydantic keeps one rule without a word."""
    for one, other in combinations(kind.__bases__, 2):
        common = {name for base in {*one.__mro__} & {*other.__mro__} for name in vars(base)}
        rules = [
            {*kept.field_validators, *kept.model_validators} - common
            for kept in (one.__pydantic_decorators__, other.__pydantic_decorators__)  # type: ignore[attr-defined]
        ]
        assert not rules[0] & rules[1]
