"""The settings of the language models: where the endpoint is, how it is reached and how models are asked."""

import json
import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Self

from pydantic import Field, JsonValue, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gather_clients.configuration import AuthoritiesFile, read_settings, secrets_of
from gather_clients.http_calls.addresses import HttpAddress, checked_address
from gather_clients.logs import hide_in_logs
from gather_worker.llm.access.model_client import Access
from gather_worker.llm.budget import OUTPUT_MIN_TOKENS
from gather_worker.llm.preferences import (
    MODEL_NAME_MAX,
    OWN_FIELDS,
    Effort,
    ModelPreferences,
    ProviderPreferences,
)
from gather_worker.llm.pricing import Price

OPENROUTER_URL: Final = "https://openrouter.ai/api/v1"
FALLBACK_MODELS_MAX: Final = 8
EXTRA_BODY_MAX: Final = 16_384
REASONING_FIELDS: Final = frozenset({"reasoning", "reasoning_effort"})
ANSWER_LEAST: Final = OUTPUT_MIN_TOKENS
"""Tokens beside reasoning."""
EXTRA_HEADERS_MAX: Final = 32
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
"""RFC 9110, 5.6.2."""
HEADER_VALUE_MAX: Final = 8192
OWN_HEADERS: Final = frozenset({
    "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect",
    "host", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""What the client says itself of a request and its body."""
PROXY_URL: Final = re.compile(r"https?://[^\s/?#]+/?")


def _numbers(value: Any) -> Iterator[float]:
    """Yield the numbers of a JSON value."""
    if isinstance(value, float):
        yield value
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for entry in entries:
        yield from _numbers(entry)


class ModelKeys(BaseSettings):
    """What an endpoint knows the account by; read again while a worker runs, if it is refused."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    llm_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="OPENROUTER_API_KEY")
    """Sent as a bearer token; empty for an endpoint that wants none."""
    llm_extra_headers: dict[str, SecretStr] = Field(
        default_factory=dict, max_length=EXTRA_HEADERS_MAX, validation_alias="GATHER_LLM_EXTRA_HEADERS"
    )
    """JSON object of further headers of every request, such as {"api-key": "..."} for Azure."""

    @field_validator("llm_extra_headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if not all(HEADER_NAME.fullmatch(name) for name in headers):
            raise ValueError("has a name that no header can have")
        names = [name.lower() for name in headers]
        if len(set(names)) < len(names):
            raise ValueError("has a header twice; capitals do not count")
        if OWN_HEADERS.intersection(names):
            raise ValueError("has a header that the client itself sets")
        for value in (secret.get_secret_value() for secret in headers.values()):
            if not (value.isascii() and value.isprintable() and 0 < len(value) <= HEADER_VALUE_MAX):
                raise ValueError("has a value that no header can have")
        return headers

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        is_given = "authorization" in (name.lower() for name in self.llm_extra_headers)
        if is_given and self.llm_api_key.get_secret_value():
            raise ValueError(
                "GATHER_LLM_EXTRA_HEADERS has Authorization, as which OPENROUTER_API_KEY is sent: drop one"
            )
        return self

    @property
    def llm_headers(self) -> dict[str, str]:
        """Return the headers that say who asks."""
        own = {name: value.get_secret_value() for name, value in self.llm_extra_headers.items()}
        key = self.llm_api_key.get_secret_value()
        return {"Authorization": f"Bearer {key}", **own} if key else own


def _read_headers_again() -> dict[str, str]:
    keys = read_settings(ModelKeys)
    hide_in_logs(secrets_of(keys), besides=True)
    return keys.llm_headers


class ModelSettings(ModelKeys):
    """All that configures the language models."""

    llm_base_url: HttpAddress = Field(default=OPENROUTER_URL, validation_alias="GATHER_LLM_BASE_URL")
    """Any OpenAI-compatible endpoint; parameters such as ?api-version=... go with every request."""
    llm_proxy: SecretStr | None = Field(default=None, validation_alias="GATHER_LLM_PROXY")
    """http:// or https:// address of a proxy for this endpoint alone; it may have a password. Hosts
    of `NO_PROXY` go without."""
    llm_ca_file: AuthoritiesFile | None = Field(default=None, validation_alias="GATHER_LLM_CA_FILE")
    """PEM file of authorities that vouch for endpoint and proxy, besides the public ones."""
    llm_timeout_s: float = Field(default=120, ge=1, le=600, validation_alias="GATHER_LLM_TIMEOUT_S")
    """For one answer of the model; long answers of large models take a minute."""
    llm_max_tokens: int = Field(
        default=32_000, ge=ANSWER_LEAST, le=64_000, validation_alias="GATHER_LLM_MAX_TOKENS"
    )
    """The most for one answer; what is asked for is less, by the answer's kind and language."""
    llm_fallback_models: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), max_length=FALLBACK_MODELS_MAX, validation_alias="GATHER_LLM_FALLBACK_MODEL"
    )
    """Comma-separated; stand in for a model that fails repeatedly or is refused, the first one first."""
    llm_provider: ProviderPreferences = Field(
        default=ProviderPreferences(), validation_alias="GATHER_LLM_PROVIDER"
    )
    """JSON object of OpenRouter's provider preferences; other endpoints are not sent it."""
    llm_reasoning_effort: Effort | None = Field(default=None, validation_alias="GATHER_LLM_REASONING_EFFORT")
    llm_reasoning_max_tokens: int | None = Field(
        default=None, ge=0, le=64000, validation_alias="GATHER_LLM_REASONING_MAX_TOKENS"
    )
    """One of the two, for models that think before they answer; unset: the model's own."""
    llm_extra_body: dict[str, JsonValue] = Field(
        default_factory=dict, validation_alias="GATHER_LLM_EXTRA_BODY"
    )
    """JSON object of further fields of every request, such as {"temperature": 0.7}."""
    llm_price_in: float | None = Field(
        default=None, ge=0, le=1000, validation_alias="GATHER_LLM_PRICE_INPUT_USD_PER_MILLION"
    )
    llm_price_out: float | None = Field(
        default=None, ge=0, le=1000, validation_alias="GATHER_LLM_PRICE_OUTPUT_USD_PER_MILLION"
    )
    """USD for a million tokens of the most expensive model in use, where the endpoint names no prices."""
    llm_cache_ttl_s: int = Field(
        default=86_400, ge=0, le=30 * 86_400, validation_alias="GATHER_LLM_CACHE_TTL_S"
    )
    """How long a good answer is kept in Redis; 0: not at all. A day is longer than any run."""

    @field_validator("llm_fallback_models", mode="before")
    @classmethod
    def _names(cls, given: Any) -> Any:
        """Commas cannot stand in a model's name."""
        if not isinstance(given, str):
            return given
        return tuple(dict.fromkeys(filter(None, (name.strip() for name in given.split(",")))))

    @field_validator("llm_fallback_models")
    @classmethod
    def _are_names(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        if not all(len(name) <= MODEL_NAME_MAX and name.isprintable() for name in models):
            raise ValueError(f"must be models' names of at most {MODEL_NAME_MAX} characters, between commas")
        return models

    @field_validator("llm_proxy")
    @classmethod
    def _is_proxy(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        if not PROXY_URL.fullmatch(url.get_secret_value()):
            raise ValueError("must be the http:// or https:// address of a proxy; SOCKS is not supported")
        checked_address(url.get_secret_value())
        return url

    @field_validator("llm_extra_body")
    @classmethod
    def _is_small(cls, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if len(json.dumps(fields)) > EXTRA_BODY_MAX:
            raise ValueError(f"must have at most {EXTRA_BODY_MAX} characters")
        if any(not math.isfinite(number) for number in _numbers(fields)):
            raise ValueError("has a number that JSON does not have, such as NaN")
        return fields

    @model_validator(mode="after")
    def _own_fields(self) -> Self:
        ours = sorted(OWN_FIELDS.keys() & self.llm_extra_body.keys())
        if ours:
            said = "; ".join(f"{name} is decided by {OWN_FIELDS[name]}" for name in ours)
            raise ValueError(f"GATHER_LLM_EXTRA_BODY: {said}")
        return self

    @model_validator(mode="after")
    def _one_reasoning(self) -> Self:
        if self.llm_reasoning_effort is not None and self.llm_reasoning_max_tokens is not None:
            raise ValueError(
                "set GATHER_LLM_REASONING_EFFORT or GATHER_LLM_REASONING_MAX_TOKENS: providers refuse both"
            )
        is_set = self.llm_reasoning_effort is not None or self.llm_reasoning_max_tokens is not None
        if is_set and REASONING_FIELDS & self.llm_extra_body.keys():
            raise ValueError(
                "GATHER_LLM_EXTRA_BODY has reasoning, which GATHER_LLM_REASONING_ settings set too: drop one"
            )
        return self

    @model_validator(mode="after")
    def _room_for_an_answer(self) -> Self:
        most = self.llm_max_tokens - ANSWER_LEAST
        if (self.llm_reasoning_max_tokens or 0) > most:
            raise ValueError(
                f"GATHER_LLM_REASONING_MAX_TOKENS leaves no room for an answer: with GATHER_LLM_MAX_TOKENS "
                f"{self.llm_max_tokens} it can be {max(most, 0)} at most"
            )
        return self

    @model_validator(mode="after")
    def _whole_price(self) -> Self:
        if (self.llm_price_in is None) != (self.llm_price_out is None):
            raise ValueError("a price has two parts: give both GATHER_LLM_PRICE_ variables or none")
        return self

    @property
    def llm_price(self) -> Price | None:
        """Return the configured price, None if the endpoint's counts."""
        if self.llm_price_in is None or self.llm_price_out is None:
            return None
        return Price(self.llm_price_in / 1e6, self.llm_price_out / 1e6)

    @property
    def model_access(self) -> Access:
        """Return how the endpoint is reached."""
        proxy = self.llm_proxy.get_secret_value() if self.llm_proxy else None
        return Access(self.llm_headers, proxy, self.llm_ca_file, _read_headers_again)

    @property
    def model_preferences(self) -> ModelPreferences:
        """Return what the requests to models hold besides their words."""
        return ModelPreferences(
            provider=self.llm_provider,
            reasoning_effort=self.llm_reasoning_effort,
            reasoning_max_tokens=self.llm_reasoning_max_tokens,
            extra_body=self.llm_extra_body,
            fallback_models=self.llm_fallback_models,
        )
