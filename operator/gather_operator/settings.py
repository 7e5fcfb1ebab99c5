"""The operator's settings, read once into one frozen object in `main.py`.

Secrets are files of the settings' names in `GATHER_SECRETS_DIR`; environment variables override them, for
local use.
"""

import socket
import uuid
from typing import Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gather_clients.cms_requests import CmsSettings
from gather_clients.configuration import LogLevel
from gather_clients.http_calls.addresses import ServiceUrl
from gather_clients.outbox.outbox_settings import OutboxSettings
from gather_clients.redis_place import RedisSettings
from gather_contracts import names
from gather_contracts.departments import DEFAULT_MODEL
from gather_contracts.resource import TTL_MAX_S
from gather_operator.decisions.worker_pod import WorkerPod
from gather_operator.replicas.lease_rules import DURATION_MAX_S, DURATION_MIN_S
from gather_operator.replicas.shards import Shard


class PlaceSettings(BaseSettings):
    """Where an operator works, and which of its replicas acts; all that `gather-operator release` needs."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    namespace: str = Field(min_length=1, max_length=63, validation_alias="GATHER_NAMESPACE")
    """The one namespace whose GatherRuns are worked on."""
    lease: str = Field(
        default="gather-operator",
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        max_length=63,
        validation_alias="GATHER_LEASE",
    )
    """The Lease in that namespace; the replica that holds it acts. All replicas have the same one; those of
    further shards have theirs, named after it."""
    shards: int = Field(default=1, ge=1, le=names.SHARDS_MAX, validation_alias="GATHER_SHARDS")
    """Parts into which the namespace's runs are split, each worked on by a process of its own."""
    shard: int = Field(default=0, ge=0, lt=names.SHARDS_MAX, validation_alias="GATHER_SHARD")
    """Which of them is this process's, from 0; below GATHER_SHARDS."""
    lease_duration_s: int = Field(
        default=9, ge=DURATION_MIN_S, le=DURATION_MAX_S, validation_alias="GATHER_LEASE_DURATION_S"
    )
    """A Lease that was not renewed for so long is taken over; its holder stops after two thirds of it."""
    identity: str = Field(
        default_factory=lambda: f"{socket.gethostname()[:200]}_{uuid.uuid4().hex[:8]}",
        min_length=1,
        max_length=253,
        validation_alias="GATHER_IDENTITY",
    )
    """The replica's name in the Lease; one that comes back under its name takes its own Lease at once."""
    deployment: str | None = Field(default=None, validation_alias="GATHER_DEPLOYMENT")
    """The operator's own Deployment. At its end it looks whether another pod follows; unset: one does."""
    api_timeout_s: float = Field(default=10, ge=1, le=60, validation_alias="GATHER_API_TIMEOUT_S")
    log_level: LogLevel = Field(default="INFO", validation_alias="GATHER_LOG_LEVEL")

    @field_validator("shard")
    @classmethod
    def _is_one_of_them(cls, shard: int, others: ValidationInfo) -> int:
        if shard >= others.data.get("shards", names.SHARDS_MAX):
            raise ValueError("it must be below GATHER_SHARDS")
        return shard

    @property
    def place(self) -> Shard:
        """Which runs this process works on."""
        return Shard(self.shard, self.shards)


class Settings(RedisSettings, CmsSettings, OutboxSettings, PlaceSettings):
    """All settings of the operator."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    worker_image: str = Field(min_length=1, validation_alias="GATHER_WORKER_IMAGE")
    worker_image_pull_policy: str = Field(
        default="IfNotPresent", validation_alias="GATHER_WORKER_IMAGE_PULL_POLICY"
    )
    worker_service_account: str = Field(
        default="gather-worker", validation_alias="GATHER_WORKER_SERVICE_ACCOUNT"
    )
    worker_secret: str = Field(default="gather-worker", validation_alias="GATHER_WORKER_SECRET")
    worker_config_map: str = Field(default="gather-worker", validation_alias="GATHER_WORKER_CONFIG_MAP")
    worker_node_selector: dict[str, str] = Field(
        default_factory=lambda: {"pool": "cpu_intensive"}, validation_alias="GATHER_WORKER_NODE_SELECTOR"
    )
    worker_tolerations: list[dict[str, Any]] = Field(
        default_factory=list, validation_alias="GATHER_WORKER_TOLERATIONS"
    )
    worker_resources: dict[str, Any] = Field(default_factory=dict, validation_alias="GATHER_WORKER_RESOURCES")
    worker_pod: WorkerPod = Field(default_factory=WorkerPod, validation_alias="GATHER_WORKER_POD")
    """What else worker pods have, as JSON: labels, annotations, affinity, variables, volumes, …"""

    app_url: ServiceUrl = Field(validation_alias="NEXT_PUBLIC_APP_URL")
    """Where the CMS answers; `/api/departments` is appended."""
    cms_empty_patience_s: float = Field(
        default=60, ge=0, le=3600, validation_alias="GATHER_CMS_EMPTY_PATIENCE_S"
    )
    """For how long the CMS is asked again while it names no department, or not all that a run selects."""
    default_model: str = Field(default=DEFAULT_MODEL, max_length=128, validation_alias="GATHER_DEFAULT_MODEL")
    """For departments without a `defaultModel` in the CMS."""

    brain_url: ServiceUrl | None = Field(default=None, validation_alias="GATHER_BRAIN_URL")
    """Where the brain answers /readyz, for the condition BrainAvailable; unset: there is none."""
    ttl_s: int | None = Field(
        default=None, ge=0, le=TTL_MAX_S, validation_alias="GATHER_TTL_SECONDS_AFTER_FINISHED"
    )
    """For runs without `ttlSecondsAfterFinished`; unset: ended runs stay."""
    port: int = Field(default=8080, ge=0, le=65535, validation_alias="GATHER_OPERATOR_PORT")
    """/healthz, /readyz and /metrics; 0 takes a free one and logs it."""
    workers: int = Field(default=32, ge=1, le=256, validation_alias="GATHER_OPERATOR_WORKERS")
    """Runs worked on at the same time."""
    tick_interval_s: float = Field(default=3, ge=0.1, le=60, validation_alias="GATHER_TICK_INTERVAL_S")
    """Every unfinished run is decided again this often, whatever the watches say."""
    relist_interval_s: float = Field(default=10, ge=0.1, le=300, validation_alias="GATHER_RELIST_INTERVAL_S")
    """kopf's watch is held against our own this often, because a watch can die silently."""
    watch_silence_s: float = Field(default=30, ge=1, le=600, validation_alias="GATHER_WATCH_SILENCE_S")
    """A watch that has not shown what a list shows for this long is started again."""
    status_interval_s: float = Field(default=1, ge=0, le=60, validation_alias="GATHER_STATUS_INTERVAL_S")
    """Shortest time between two status writes of one run."""
    cms_timeout_s: float = Field(default=10, ge=1, le=60, validation_alias="GATHER_CMS_TIMEOUT_S")
    """For one reading of all departments, with its retries."""
    stop_deadline_s: float = Field(default=300, ge=30, validation_alias="GATHER_DELETE_DEADLINE_S")
    """A cancelled or deleted run is closed after this time even if a pod on a dead node still hangs."""
    node_lost_s: int = Field(default=120, ge=80, le=3600, validation_alias="GATHER_NODE_LOST_S")
    """From a node's last sign of life until its pod is given up and a new Job starts."""
    start_patience_s: float = Field(default=300, ge=0, le=86_400, validation_alias="GATHER_START_PATIENCE_S")
    """A department that waits for longer for what never comes right by itself, such as an image that does not
    exist, fails; 0: it waits on."""
