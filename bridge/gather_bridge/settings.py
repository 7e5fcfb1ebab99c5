"""The bridge's settings, read once into one frozen object in `main.py`.

`gather_clients.configuration` says where they are read.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from gather_clients.configuration import SECRETS_DIR_DEFAULT, LogLevel
from gather_clients.http_calls.addresses import Site
from gather_clients.outbox.outbox_settings import OutboxSettings
from gather_clients.redis_place import RedisSettings
from gather_clients.web.origins import Origin

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class Settings(RedisSettings, OutboxSettings):
    """All settings of the bridge."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    mongodb_timeout_s: float = Field(default=2, ge=0.1, le=30, alias="GATHER_MONGODB_TIMEOUT_S")
    """For each call about snapshots and notes."""
    exports_max: int = Field(default=2, ge=1, le=16, alias="GATHER_BRIDGE_EXPORTS_MAX")
    """At once; each is a process of 70 MiB, and a project has one."""

    tokens_file: Path = Field(
        default=Path(SECRETS_DIR_DEFAULT) / "tokens.json", alias="GATHER_BRIDGE_TOKENS_FILE"
    )
    """A JSON list of {name, sha256, projects}; read again when it changes."""
    allow_anonymous: bool = Field(default=False, alias="GATHER_BRIDGE_ALLOW_ANONYMOUS")
    """Let anyone listen to any project; for trying out."""
    allowed_origins: tuple[Origin, ...] = Field(default=(), alias="GATHER_BRIDGE_ALLOWED_ORIGINS")
    """Origins of web pages that may connect; a client that sends no Origin is no web page."""

    max_sockets: int = Field(default=2000, ge=1, le=100_000, alias="GATHER_BRIDGE_MAX_SOCKETS")
    """A socket takes 41 KiB while nothing waits for it."""
    max_sockets_per_address: int = Field(default=0, ge=0, alias="GATHER_BRIDGE_MAX_SOCKETS_PER_ADDRESS")
    """0: no limit. Behind a proxy all clients have its address, unless it is a trusted one."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), alias="GATHER_BRIDGE_TRUSTED_PROXIES"
    )
    """Networks of proxies whose X-Forwarded-For is believed."""
    handshake_timeout_s: float = Field(default=10, gt=0, le=60, alias="GATHER_BRIDGE_HANDSHAKE_TIMEOUT_S")
    """For a connection to send the headers of its first or its next request."""
    drain_s: float = Field(default=10, ge=0, le=300, alias="GATHER_BRIDGE_DRAIN_S")
    """After SIGTERM clients are asked to come back over so long; a pod's grace must be 10 s longer."""
    replay_limit: int = Field(default=5000, ge=1, le=20_000, alias="GATHER_BRIDGE_REPLAY_LIMIT")
    """Events that one reconnection may catch up with; four runs of 500 iterations."""
    heartbeat_interval_s: float = Field(default=15, ge=0.05, alias="GATHER_BRIDGE_HEARTBEAT_INTERVAL_S")
    send_timeout_s: float = Field(default=10, gt=0, le=60, alias="GATHER_BRIDGE_SEND_TIMEOUT_S")

    webhook_secret: SecretStr = Field(min_length=16, alias="GATHER_WEBHOOK_SECRET")
    """The key of the events' HMAC, for projects without secrets of their own."""
    webhook_secrets_file: Path = Field(
        default=Path(SECRETS_DIR_DEFAULT) / "webhook-secrets.json",
        alias="GATHER_BRIDGE_WEBHOOK_SECRETS_FILE",
    )
    """A JSON list of {projects, secrets}; read again when it changes. There may be none."""
    webhook_timeout_s: float = Field(default=5, gt=0, le=60, alias="GATHER_BRIDGE_WEBHOOK_TIMEOUT_S")
    webhook_allowed_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), alias="GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS"
    )
    """Networks that webhooks may reach although they are not public, such as that of the application."""
    webhook_ca_file: Path | None = Field(default=None, alias="GATHER_BRIDGE_WEBHOOK_CA_FILE")
    """A PEM file of authorities to trust besides the public ones."""
    webhook_retry_base_s: float = Field(default=1, gt=0, le=60, alias="GATHER_BRIDGE_WEBHOOK_RETRY_BASE_S")

    page_dir: Path | None = Field(default=None, alias="GATHER_BRIDGE_PAGE_DIR")
    """The folder with what the run page serves of others; the image has it. None: no page."""
    page_enabled: bool = Field(default=True, alias="GATHER_BRIDGE_PAGE_ENABLED")
    page_user_header: HeaderName | None = Field(default=None, alias="GATHER_BRIDGE_PAGE_USER_HEADER")
    """In which a trusted proxy names whom it has signed in. None: nobody is signed in so."""
    page_users_file: Path = Field(
        default=Path(SECRETS_DIR_DEFAULT) / "page-users.json", alias="GATHER_BRIDGE_PAGE_USERS_FILE"
    )
    """A JSON list of {user, projects, cancel}; read again when it changes."""
    door_url: Site | None = Field(default=None, alias="GATHER_BRIDGE_DOOR_URL")
    """Of the HTTP door, through which the page cancels runs. None: no button for it."""
    door_key: SecretStr | None = Field(default=None, alias="GATHER_BRIDGE_DOOR_KEY")
    """The page's own key at the HTTP door."""
    door_namespace: str | None = Field(default=None, alias="GATHER_BRIDGE_DOOR_NAMESPACE")
    """Whose runs the door cancels; the page offers it for no others. None: for all that it shows."""

    host: str = Field(default="", alias="GATHER_BRIDGE_HOST")
    """Empty: every address, IPv4 and IPv6."""
    port: int = Field(default=8080, ge=0, le=65535, alias="GATHER_BRIDGE_PORT")
    """/api/v1, /healthz and /readyz."""
    metrics_port: int = Field(default=9090, ge=0, le=65535, alias="GATHER_BRIDGE_METRICS_PORT")
    """Of /metrics alone, which needs no key; 0 takes any free one."""
    log_level: LogLevel = Field(default="INFO", alias="GATHER_LOG_LEVEL")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.page_user_header and not self.trusted_proxies:
            raise ValueError(
                "GATHER_BRIDGE_PAGE_USER_HEADER needs GATHER_BRIDGE_TRUSTED_PROXIES: who may set it"
            )
        if self.door_url and not self.door_key:
            raise ValueError("GATHER_BRIDGE_DOOR_URL needs the file GATHER_BRIDGE_DOOR_KEY")
        return self

    @property
    def has_page(self) -> bool:
        """Return whether the run page is served."""
        return self.page_enabled and self.page_dir is not None
