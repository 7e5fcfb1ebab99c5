"""All settings, read once from the environment and the secrets folder; frozen."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from gather_brain.context.settings import ThemeSettings, read_theme_settings
from gather_brain.embeddings.settings import ModelSettings, read_model_settings
from gather_clients.configuration import LogLevel, read_settings, secrets_of, warn_of_unknown_settings
from gather_clients.http_calls.addresses import Neo4jAddress
from gather_clients.logs import SILENT, configure_logging, hide_in_logs
from gather_clients.redis_place import RedisSettings, RedisUrl
from gather_clients.web.origins import Origin

MODELS: Final = "GATHER_BRAIN_MODELS"
THEMES: Final = "GATHER_BRAIN_THEMES"
"""Names of what is read with variables of its own."""


class Settings(RedisSettings):
    """The brain's settings; each is an environment variable of its alias, or a file of that name."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    neo4j_uri: Neo4jAddress = Field(default="bolt://localhost:7687", alias="NEO4J_URI", max_length=2048)
    neo4j_user: str = Field(default="neo4j", alias="NEO4J_USER", max_length=128)
    neo4j_password: SecretStr | None = Field(default=None, alias="NEO4J_PASSWORD")
    """None: no authentication, for trying out."""
    neo4j_database: str = Field(default="neo4j", alias="GATHER_BRAIN_NEO4J_DATABASE", max_length=63)
    neo4j_timeout_s: float = Field(default=10.0, alias="GATHER_BRAIN_NEO4J_TIMEOUT_S", gt=0, le=60)
    """For one piece of work with its retries; the required worst answer is 8 s."""
    neo4j_pool_size: int = Field(default=20, alias="GATHER_BRAIN_NEO4J_POOL_SIZE", ge=1, le=200)

    host: str = Field(default="", alias="GATHER_BRAIN_HOST")
    """Empty: every address, IPv4 and IPv6."""
    port: int = Field(default=8080, alias="GATHER_BRAIN_PORT", ge=0, le=65535)
    metrics_port: int = Field(default=9090, alias="GATHER_BRAIN_METRICS_PORT", ge=0, le=65535)
    """Of /metrics alone, which needs no key."""
    allowed_origins: tuple[Origin, ...] = Field(
        default=(), alias="GATHER_BRAIN_ALLOWED_ORIGINS", max_length=16
    )
    """A JSON list: pages of these origins may call the API from a browser; none may by default."""
    log_level: LogLevel = Field(default="INFO", alias="GATHER_LOG_LEVEL")
    max_body_bytes: int = Field(default=10 * 1024 * 1024, alias="GATHER_BRAIN_MAX_BODY_BYTES", ge=1024)
    """100 items of 8,000 characters are 0.8 MB in English, 4.8 MB in Chinese with each character escaped as
    `\\u....`, and 9.6 MB where every one is a pair of these, as emoji are."""
    body_timeout_s: float = Field(default=30.0, alias="GATHER_BRAIN_BODY_TIMEOUT_S", gt=0)
    max_requests: int = Field(default=100, alias="GATHER_BRAIN_MAX_REQUESTS", ge=1)
    """Concurrent requests; one more gets 503."""
    shutdown_timeout_s: int = Field(default=15, alias="GATHER_BRAIN_SHUTDOWN_TIMEOUT_S", ge=1)

    drain_s: float = Field(default=3.0, alias="GATHER_BRAIN_DRAIN_S", ge=0, le=60)
    """How long requests are accepted after SIGTERM, with `/readyz` at 503: until no Service sends any."""

    redis_url: RedisUrl | None = Field(default=None, alias="REDIS_URL")  # type: ignore[assignment]
    """Where replicas count limits together; None: each counts for itself."""
    redis_timeout_s: float = Field(default=1.0, alias="GATHER_REDIS_TIMEOUT_S", ge=0.1, le=30)
    """For each call; after the first time-out a background task waits for Redis."""

    keys_file: Path | None = Field(default=None, alias="GATHER_BRAIN_KEYS_FILE")
    """A JSON list of {name, sha256, projects} and, if wanted, `limits` and `expires_at`, mounted from a
    Secret; `projects` ["*"] is a service key."""

    models: tuple[ModelSettings, ...] = Field(default=(), alias=MODELS, max_length=2)
    """The current embedding model and, if it is to be replaced, the next one; with variables of their own."""
    embedding_cache_entries: int = Field(default=10_000, alias="GATHER_BRAIN_EMBEDDING_CACHE_ENTRIES", ge=0)
    """For all models together; 1.5 KiB each with 384 dimensions."""
    themes: ThemeSettings = Field(default=ThemeSettings(), alias=THEMES)
    """The model that refines themes, with variables of its own; off without an endpoint."""


LOGGERS: Final[Mapping[str, str | int]] = {
    "uvicorn.access": SILENT,
    "neo4j": "ERROR",
    "neo4j.notifications": SILENT,
}
"""The brain logs requests itself, with their id; Neo4j's notifications are for the authors of queries."""


def read_brain_settings() -> Settings:
    """Return the settings of the process.

    Raises:
        ConfigurationError: what is missing or wrong.
    """
    given: dict[str, Any] = {MODELS: read_model_settings(), THEMES: read_theme_settings()}
    return read_settings(Settings, **given)


def start_process(log_level: str | None = None) -> Settings:
    """Return the settings, and set logging up with `log_level` or theirs; raises ConfigurationError."""
    settings = read_brain_settings()
    configure_logging("brain", log_level or settings.log_level, LOGGERS)
    hide_in_logs(secrets_of(settings))
    warn_of_unknown_settings(logging.getLogger(__name__))
    return settings
