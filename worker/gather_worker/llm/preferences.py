"""What a user wants of a model's endpoint: providers, reasoning, further fields, models that stand in."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

MODEL_NAME_MAX: Final = 128
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
_Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=128)], ...], Field(max_length=64)]
_Usd = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]

OWN_FIELDS: Final = {
    "model": "the department's model in the CMS, or the operator's GATHER_DEFAULT_MODEL",
    "models": "GATHER_LLM_FALLBACK_MODEL",
    "messages": "the prompts",
    "max_tokens": "GATHER_LLM_MAX_TOKENS",
    "max_completion_tokens": "GATHER_LLM_MAX_TOKENS",
    "provider": "GATHER_LLM_PROVIDER",
    "response_format": "the schema of the answer",
    "usage": "the ledger, which needs it",
    "n": "the ledger: one answer is read, and all would be paid",
}
"""Fields of a request that no extra field may replace, and what decides on each."""


class _Preferences(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class PriceLimit(_Preferences):
    """The most that a provider may ask: USD for a million tokens, for a request, for an image."""

    prompt: _Usd | None = None
    completion: _Usd | None = None
    request: _Usd | None = None
    image: _Usd | None = None
    audio: _Usd | None = None


class ProviderPreferences(_Preferences):
    """OpenRouter's field `provider`: which providers may see a prompt, and which one is asked first.

    Unset fields are not sent. Source: https://openrouter.ai/docs/features/provider-routing
    """

    data_collection: Literal["allow", "deny"] | None = None
    """`deny`: only providers that neither keep prompts nor train on them."""
    zdr: StrictBool | None = None
    """Only endpoints with zero data retention."""
    only: _Names | None = None
    ignore: _Names | None = None
    order: _Names | None = None
    allow_fallbacks: StrictBool | None = None
    """Whether others than those of `order` may answer; OpenRouter's default is true."""
    require_parameters: StrictBool | None = None
    """Only providers that take every field of the request; unset: true."""
    max_price: PriceLimit | None = None
    quantizations: _Names | None = None
    sort: Literal["price", "throughput", "latency"] | None = None
    preferred_min_throughput: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Tokens a second."""
    preferred_max_latency: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Seconds to the first token."""
    enforce_distillable_text: StrictBool | None = None

    def fields(self) -> dict[str, Any]:
        """Return what is set, as it is sent."""
        return self.model_dump(mode="json", exclude_none=True)


class ModelPreferences(_Preferences):
    """All that a user wants of the models' requests."""

    provider: ProviderPreferences = ProviderPreferences()
    reasoning_effort: Effort | None = None
    reasoning_max_tokens: int | None = None
    """At most one of the two is set."""
    extra_body: Mapping[str, Any] = Field(default_factory=dict)
    """Fields of every request, none of them of `OWN_FIELDS`."""
    fallback_models: tuple[str, ...] = ()
    """Stand in for a model that fails, the first one first."""
