"""The Celery door's settings, read once into one frozen object in `celery_command.py`."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from gather_clients.configuration import LogLevel
from gather_clients.redis_place import RedisPlace, RedisSettings, RedisUrl
from gather_contracts import names

KEYSPACE: Final = r"^[A-Za-z0-9_.:{}-]{0,64}$"


class BrokerOptions(BaseModel):
    """What of the application's `broker_transport_options` decides where its messages lie."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    global_keyprefix: str = Field(default="", pattern=KEYSPACE)
    sep: str = Field(default="\x06\x16", min_length=1, max_length=8)
    priority_steps: tuple[int, ...] = Field(default=(0, 3, 6, 9), min_length=1, max_length=32)
    """The first one has no suffix of its own."""


class CelerySettings(RedisSettings):
    """All settings of the door."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    namespace: str = Field(min_length=1, max_length=63, validation_alias="GATHER_NAMESPACE")
    """Whose GatherRuns are made."""
    celery_broker_url: RedisUrl | None = Field(default=None, validation_alias="CELERY_BROKER_URL")
    """Unset: REDIS_URL."""
    celery_result_backend: RedisUrl | None = Field(default=None, validation_alias="CELERY_RESULT_BACKEND")
    """Unset: the broker."""
    broker_options: BrokerOptions = Field(
        default=BrokerOptions(), validation_alias="GATHER_CELERY_BROKER_OPTIONS"
    )
    """JSON; options that decide nothing here are passed over."""
    result_key_prefix: str = Field(
        default="", pattern=KEYSPACE, validation_alias="GATHER_CELERY_RESULT_KEY_PREFIX"
    )
    """`global_keyprefix` of the application's `result_backend_transport_options`."""
    queues: tuple[str, ...] = Field(
        default=(names.GATHER_QUEUE,), min_length=1, max_length=8, validation_alias="GATHER_CELERY_QUEUES"
    )
    """A JSON list; the earlier goes before the later."""
    task: str = Field(
        default=names.GATHER_TASK, min_length=1, max_length=255, validation_alias="GATHER_CELERY_TASK"
    )
    runs_max: int = Field(default=10, ge=1, le=1000, validation_alias="GATHER_CELERY_RUNS_MAX")
    """Runs at once; what is beyond waits in its queue."""
    result_expires_s: int = Field(
        default=3600, ge=60, le=30 * 86_400, validation_alias="GATHER_CELERY_RESULT_EXPIRES_S"
    )
    api_timeout_s: float = Field(default=5, ge=1, le=60, validation_alias="GATHER_DOOR_KUBERNETES_TIMEOUT_S")
    """For each call of the Kubernetes API."""
    node_name: str = Field(default="", max_length=200, validation_alias="GATHER_CELERY_NODE_NAME")
    """As Flower shows it, after gather-door@; unset: the host's name."""

    host: str = Field(default="", validation_alias="GATHER_DOOR_HOST")
    """Empty: every address, IPv4 and IPv6."""
    port: int = Field(default=8080, ge=0, le=65535, validation_alias="GATHER_DOOR_PORT")
    """/healthz and /readyz."""
    metrics_port: int = Field(default=9090, ge=0, le=65535, validation_alias="GATHER_DOOR_METRICS_PORT")
    """Of /metrics alone, which needs no key; 0 takes any free one."""
    log_level: LogLevel = Field(default="INFO", validation_alias="GATHER_LOG_LEVEL")

    @property
    def broker(self) -> RedisPlace:
        """Return the place of the queues."""
        return self._place(self.celery_broker_url, "CELERY_BROKER_URL", self.redis)

    @property
    def results(self) -> RedisPlace:
        """Return the place of the results."""
        return self._place(self.celery_result_backend, "CELERY_RESULT_BACKEND", self.broker)

    def _place(self, url: RedisUrl | None, variable: str, otherwise: RedisPlace) -> RedisPlace:
        if url is None:
            return otherwise
        ca_file = self.redis_ca_file if url.get_secret_value().startswith("rediss") else None
        return RedisPlace(url.get_secret_value(), ca_file, self.redis_key_prefix, variable)
