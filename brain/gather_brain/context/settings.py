"""The settings of the model that refines themes; off unless an endpoint is named."""

from typing import Final, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gather_clients.configuration import read_settings
from gather_clients.http_calls.addresses import ServiceUrl
from gather_clients.http_calls.held_keys import HeaderKey

PREFIX: Final = "GATHER_BRAIN_THEMES_LLM_"


class ThemeSettings(BaseSettings):
    """Each is an environment variable with the prefix, or a file of that name in the secrets folder."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix=PREFIX, protected_namespaces=())

    base_url: ServiceUrl | None = None
    """Such as https://openrouter.ai/api/v1; `/chat/completions` is added. None: themes are only computed."""
    model: str | None = Field(default=None, min_length=1, max_length=128)
    api_key: HeaderKey | None = Field(default=None, max_length=4096)
    timeout_s: float = Field(default=20.0, gt=0, le=120)
    calls_per_hour: int = Field(default=60, ge=1, le=10_000)
    """Of one replica: a call is some 2,000 tokens to read and at most 300 to write."""
    lease_s: float = Field(default=300.0, ge=1, le=86_400)
    """At most one call for a department in this time, whichever replica makes it and however it ends."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.base_url is not None and self.model is None:
            raise ValueError(f"{PREFIX}BASE_URL needs {PREFIX}MODEL")
        return self


def read_theme_settings() -> ThemeSettings:
    """Return the settings; raises ConfigurationError."""
    return read_settings(ThemeSettings)
