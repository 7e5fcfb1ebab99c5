"""The worker's settings, read once into one frozen object in `main.py`.

Secrets are files of the settings' names in `GATHER_SECRETS_DIR`; environment variables go before them, for
local use.
"""

import logging
import socket
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from gather_clients import configuration
from gather_clients.configuration import ConfigurationError, LogLevel
from gather_clients.http_calls.addresses import BrokerAddress, PlainAddress
from gather_clients.logs import hide_in_logs
from gather_clients.redis_place import RedisSettings, celery_address, names_sentinels
from gather_contracts import names
from gather_worker.errors import InvalidInput
from gather_worker.model_settings import ModelSettings

CELERY_NAME = r"^[^\s\x00-\x1f]{1,255}$"
"""A task's or a queue's name."""


class EvaluationDetail(StrEnum):
    """How much the message that asks for an evaluation holds."""

    MINIMAL = "minimal"
    """The requirements' four arguments."""
    FULL = "full"
    """Also slug, threshold, notes and earlier evaluations."""
    APPLICATION = "application"
    """What the application's own evaluation takes, and nothing else: the user stands in its metadata."""


class Settings(RedisSettings, ModelSettings):
    """All that configures a worker, besides its run document."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    mongodb_uri: SecretStr = Field(min_length=1, validation_alias="MONGODB_URI")
    celery_broker_url: BrokerAddress = Field(default=None, validation_alias="CELERY_BROKER_URL")
    """Where evaluations are queued, if not at `REDIS_URL`."""
    brain_url: PlainAddress = Field(validation_alias="BRAIN_SERVICE_BASE_URL")
    brain_api_key: SecretStr = Field(min_length=1, validation_alias="BRAIN_SERVICE_API_KEY")

    is_traced: bool = Field(default=False, validation_alias="GATHER_TRACING")
    """Whether model calls make OpenTelemetry spans."""
    judge_model: str | None = Field(default=None, max_length=128, validation_alias="GATHER_JUDGE_MODEL")
    """Scores quality and judges duplicates; unset: the department's own model."""
    judge_repeats: int = Field(default=1, ge=1, le=5, validation_alias="GATHER_JUDGE_REPEATS")
    """Verdicts on quality whose median counts: 1, 3 or 5. Each costs a call and steadies the score."""

    duplicate_threshold: float = Field(
        default=0.90, ge=0.5, le=1, validation_alias="GATHER_DUPLICATE_THRESHOLD"
    )
    """How sure a drop must be; at the requirements' 0.90 the calibrated cut stands. Without a calibration it
    is raw cosine."""
    duplicate_calibration: Path | None = Field(default=None, validation_alias="GATHER_DUPLICATE_CALIBRATION")
    """A file of `gather-worker calibrate`, over the shipped ones."""
    store_patience_s: float = Field(default=60, ge=1, le=600, validation_alias="GATHER_STORE_PATIENCE_S")
    """How long MongoDB may be unavailable before the attempt ends with exit code 75."""
    evaluation_timeout_s: float = Field(
        default=10, ge=1, le=60, validation_alias="GATHER_EVALUATION_TIMEOUT_S"
    )
    evaluation_task: str = Field(
        default=names.EVALUATION_TASK, pattern=CELERY_NAME, validation_alias="GATHER_EVALUATION_TASK"
    )
    """The task's name as the application's Celery workers register it: without `name=` that is the path of
    its module and function."""
    evaluation_queue: str = Field(
        default=names.EVALUATION_QUEUE, pattern=CELERY_NAME, validation_alias="GATHER_EVALUATION_QUEUE"
    )
    evaluation_priority: int = Field(
        default=names.EVALUATION_PRIORITY, ge=0, le=9, validation_alias="GATHER_EVALUATION_PRIORITY"
    )
    evaluation_detail: EvaluationDetail = Field(
        default=EvaluationDetail.MINIMAL, validation_alias="GATHER_EVALUATION_DETAIL"
    )
    evaluation_callback_url: PlainAddress | None = Field(
        default=None, max_length=2048, validation_alias="GATHER_EVALUATION_CALLBACK_URL"
    )
    """Where the application's evaluation sends its result; only `application` names it."""
    pod_name: str = Field(default_factory=socket.gethostname, max_length=253, validation_alias="POD_NAME")
    """Written on every item as its `taskId`."""
    log_level: LogLevel = Field(default="INFO", validation_alias="GATHER_LOG_LEVEL")
    """Of the worker's own lines; libraries log from WARNING on."""

    @field_validator("judge_repeats")
    @classmethod
    def _is_odd(cls, repeats: int) -> int:
        """An even number has no middle."""
        if repeats % 2 == 0:
            raise ValueError("must be 1, 3 or 5")
        return repeats

    @model_validator(mode="after")
    def _known_broker(self) -> "Settings":
        if self.celery_broker_url is None and names_sentinels(self.redis_url.get_secret_value()):
            raise ValueError(
                "REDIS_URL names Sentinels, which Celery does not take so: set CELERY_BROKER_URL"
            )
        return self

    @property
    def broker_url(self) -> str:
        """Return where Celery's messages go, as its file says now; with TLS the certificate is checked."""
        if self.celery_broker_url is not None:
            given = self.celery_broker_url.get_secret_value()
            return celery_address(configuration.secret_now("CELERY_BROKER_URL", given), None)
        given = self.redis_url.get_secret_value()
        return celery_address(configuration.secret_now("REDIS_URL", given), self.redis_ca_file)


SettingsT = TypeVar("SettingsT", bound=Settings)
_LOGGER = logging.getLogger(__name__)


def read_settings(kind: type[SettingsT]) -> SettingsT:
    """Return the settings of the process, whose secrets no log or message shows from now on.

    Raises InvalidInput naming what is missing or wrong.
    """
    try:
        settings = configuration.read_settings(kind)
    except ConfigurationError as error:
        raise InvalidInput(f"settings: {error}") from None
    hide_in_logs(configuration.secrets_of(settings))
    configuration.warn_of_unknown_settings(_LOGGER)
    return settings
