"""The HTTP door's settings, read once into one frozen object."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from gather_clients.configuration import SECRETS_DIR_DEFAULT, LogLevel
from gather_clients.redis_place import RedisSettings

KEYS_VARIABLE: Final = "GATHER_DOOR_KEYS_FILE"


class DoorSettings(RedisSettings):
    """All settings of `gather-bridge http`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    namespace: str = Field(min_length=1, max_length=63, alias="GATHER_NAMESPACE")
    """Where its GatherRuns are."""
    keys_file: Path = Field(default=Path(SECRETS_DIR_DEFAULT) / "keys.json", alias=KEYS_VARIABLE)
    """A JSON list of {name, sha256, projects} and, if wanted, `limits` and `expires_at`; read again when it
    changes."""
    webhook_allowed_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), alias="GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS"
    )
    """As the bridge has it, which sends the callbacks: addresses of these may stand in a callback_url."""

    api_timeout_s: float = Field(default=5, gt=0, le=60, alias="GATHER_DOOR_KUBERNETES_TIMEOUT_S")
    """For each call of the Kubernetes API."""
    redis_timeout_s: float = Field(default=1.0, alias="GATHER_REDIS_TIMEOUT_S", ge=0.1, le=30)
    """For each call; limits are counted in the process alone from the first one that fails."""
    max_body_bytes: int = Field(default=64 * 1024, ge=1024, le=2**20, alias="GATHER_DOOR_MAX_BODY_BYTES")
    body_timeout_s: float = Field(default=10, gt=0, le=60, alias="GATHER_DOOR_BODY_TIMEOUT_S")
    max_requests: int = Field(default=400, ge=4, le=10_000, alias="GATHER_DOOR_MAX_REQUESTS")
    """Under way at once; one key has three quarters of them at most, and a quarter that call Kubernetes."""
    drain_s: float = Field(default=3, ge=0, le=60, alias="GATHER_DOOR_DRAIN_S")
    """How long requests are accepted after SIGTERM, with `/readyz` at 503: until no Service sends any."""

    host: str = Field(default="", alias="GATHER_DOOR_HOST")
    """Empty: every address, IPv4 and IPv6."""
    port: int = Field(default=8080, ge=0, le=65535, alias="GATHER_DOOR_PORT")
    """/api/v1, /healthz and /readyz."""
    metrics_port: int = Field(default=9090, ge=0, le=65535, alias="GATHER_DOOR_METRICS_PORT")
    """Of /metrics alone, which needs no key; 0 takes any free one."""
    log_level: LogLevel = Field(default="INFO", alias="GATHER_LOG_LEVEL")
