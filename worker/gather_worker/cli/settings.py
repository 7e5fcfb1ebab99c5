"""The settings of the commands besides `run`: a worker's, without the stores that they do not use."""

from typing import Literal

from pydantic import Field, SecretStr

from gather_clients.http_calls.addresses import PlainAddress
from gather_worker.model_settings import OPENROUTER_URL
from gather_worker.settings import Settings


class CommandSettings(Settings):
    """A worker's settings that concern the brain and the model."""

    mongodb_uri: SecretStr = Field(default=SecretStr(""), validation_alias="MONGODB_URI")
    redis_url: SecretStr = Field(default=SecretStr(""), validation_alias="REDIS_URL")

    @property
    def has_model(self) -> bool:
        """Return whether a model is set: a key for OpenRouter, or another endpoint."""
        return bool(self.llm_api_key.get_secret_value()) or self.llm_base_url != OPENROUTER_URL


class PreviewSettings(CommandSettings):
    """A worker's settings, of which only the model's are needed."""

    brain_url: PlainAddress | Literal[""] = Field(default="", validation_alias="BRAIN_SERVICE_BASE_URL")
    brain_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="BRAIN_SERVICE_API_KEY")


class SyncSettings(Settings):
    """A worker's settings that concern MongoDB and the brain."""

    redis_url: SecretStr = Field(default=SecretStr(""), validation_alias="REDIS_URL")
