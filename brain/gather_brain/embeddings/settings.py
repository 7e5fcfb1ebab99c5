"""One embedding model's settings: the same names for the model at work and, with a prefix, for the next."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Self

from pydantic import Field, PrivateAttr
from pydantic_settings import BaseSettings, SettingsConfigDict

from gather_clients.configuration import ConfigurationError, read_settings
from gather_clients.http_calls.addresses import ServiceUrl
from gather_clients.http_calls.held_keys import HeaderKey

PREFIX: Final = "GATHER_BRAIN_"
NEXT_PREFIX: Final = "GATHER_BRAIN_NEXT_"
Shipped = Literal["fast", "accurate", "multilingual"]
DEFAULT: Final[Shipped] = "fast"
MODELS: Final = Path("/models")
"""Where the image has a folder for each of its models."""
FOLDERS: Final[Mapping[Shipped, str]] = MappingProxyType(
    {
        "fast": "all-MiniLM-L6-v2-w8a8",
        "accurate": "bge-small-en-v1.5-w8a8",
        "multilingual": "multilingual-e5-small-w8a8",
    }
)
"""Made by dev/artefacts/models/shipped_models.py."""


class ModelSettings(BaseSettings):
    """Where vectors come from; each is an environment variable with the prefix, or a file of that name."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix=PREFIX)

    embedding_provider: Literal["onnx", "openai"] = "onnx"
    """A model folder, or an endpoint that speaks OpenAI's embeddings API."""
    model_name: str | None = Field(default=None, min_length=1, max_length=128)
    """Kept on every node; texts are only compared with texts of the same model. None: as the folder says, or
    `embedding_model`."""

    embedding: Shipped = DEFAULT
    """onnx: one of the image's own models, if `model_dir` names no other."""
    model_dir: Path | None = None
    """onnx: a folder with `model.onnx`, `tokenizer.json` and, if the model is not MiniLM, `config.json`."""
    embedding_threads: int = Field(default=2, ge=1, le=64)

    embedding_base_url: ServiceUrl | None = None
    """openai: such as https://api.openai.com/v1; `/embeddings` is added."""
    embedding_model: str | None = Field(default=None, min_length=1, max_length=128)
    embedding_api_key: HeaderKey | None = Field(default=None, max_length=4096)
    embedding_dimensions: int | None = Field(default=None, ge=1, le=4096)
    """None: as the endpoint's first answer has them. 4096 is what Neo4j can index."""
    embedding_send_dimensions: bool = False
    """Ask the endpoint for `embedding_dimensions`: for models that can shorten their vectors."""
    embedding_timeout_s: float = Field(default=4.0, gt=0, le=60)
    """One attempt."""
    embedding_deadline_s: float = Field(default=6.0, gt=0, le=60)
    """All attempts; the brain's required worst answer is 8 s."""
    embedding_concurrency: int = Field(default=8, ge=1, le=64)
    """Requests to the endpoint under way at once."""
    embedding_batch_size: int = Field(default=32, ge=1, le=2048)
    """Texts in one request."""
    embedding_max_characters: int = Field(default=8000, ge=100, le=100_000)
    """A text's rest does not count, as it would not fit into the model's window; 8000 is a node's longest."""

    _prefix: str = PrivateAttr(default=PREFIX)

    def under(self, prefix: str) -> Self:
        """Say under which prefix these were read."""
        self._prefix = prefix
        return self

    @property
    def key_variable(self) -> str:
        """The variable of `embedding_api_key`."""
        return f"{self._prefix}EMBEDDING_API_KEY"

    @property
    def folder(self) -> Path:
        """The model's folder."""
        return self.model_dir or MODELS / FOLDERS[self.embedding]


def read_model_settings() -> tuple[ModelSettings, ...]:
    """Return the settings of the current model and, if any are set, of the next one.

    Raises:
        ConfigurationError: what is missing or wrong, under its own prefix.
    """
    current, following = _read(PREFIX), _read(NEXT_PREFIX)
    # A key alone names no model: it may stand in a Secret that is there for longer than the change.
    return (current, following) if following.model_fields_set - {"embedding_api_key"} else (current,)


def _read(prefix: str) -> ModelSettings:
    settings = read_settings(ModelSettings, prefix=prefix).under(prefix)
    name = f"{prefix}EMBEDDING_"
    if settings.embedding_provider == "openai" and not (
        settings.embedding_base_url and settings.embedding_model
    ):
        raise ConfigurationError(f"{name}PROVIDER=openai needs {name}BASE_URL and {name}MODEL")
    if settings.embedding_send_dimensions and settings.embedding_dimensions is None:
        raise ConfigurationError(f"{name}SEND_DIMENSIONS needs {name}DIMENSIONS")
    return settings
