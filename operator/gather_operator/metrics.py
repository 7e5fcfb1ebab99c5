"""The operator's Prometheus metrics. Labels are words from closed lists, never names of objects."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from gather_clients.web.metric_series import begin_at_zero
from gather_operator.decisions.actions import Action

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
"""Our own, so that a test or a second operator in one process meets no global state."""

DECISIONS = Counter("gather_operator_decisions", "Decisions, by outcome.", ["outcome"], registry=REGISTRY)
DECISION_SECONDS = Histogram(
    "gather_operator_decision_duration_seconds",
    "From taking a run off the queue to having acted on it.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
QUEUE_WAIT_SECONDS = Histogram(
    "gather_operator_queue_wait_seconds",
    "From a run's being queued to its being taken off the queue.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
ACTIONS = Counter("gather_operator_actions", "Actions carried out, by kind.", ["action"], registry=REGISTRY)
STATUS_WRITES = Counter(
    "gather_operator_status_writes", "Status writes, by result.", ["result"], registry=REGISTRY
)
API_ERRORS = Counter(
    "gather_operator_api_errors",
    "Kubernetes API calls that failed, by call and kind of error.",
    ["call", "error"],
    registry=REGISTRY,
)
RELISTS = Counter(
    "gather_operator_relists", "Full lists, by kind and reason.", ["kind", "reason"], registry=REGISTRY
)
WATCH_RESTARTS = Counter(
    "gather_operator_gatherrun_watch_restarts",
    "Times that kopf's watch was started again because it ended or fell silent.",
    registry=REGISTRY,
)
EVENTS_PUBLISHED = Counter(
    "gather_operator_announcements",
    "Events to the event log, by type and result.",
    ["type", "result"],
    registry=REGISTRY,
)
CMS_READS = Counter(
    "gather_operator_cms_reads", "Readings of the CMS, by result.", ["result"], registry=REGISTRY
)
RUNS = Gauge("gather_operator_runs", "GatherRuns, by phase.", ["phase"], registry=REGISTRY)
QUEUE_DEPTH = Gauge("gather_operator_queue_depth", "Runs that wait to be decided.", registry=REGISTRY)
EVENT_LOG_UP = Gauge("gather_operator_event_log_up", "1 while live events are heard.", registry=REGISTRY)
IS_LEADER = Gauge(
    "gather_operator_is_leader", "1 while this replica holds its shard's Lease and acts.", registry=REGISTRY
)
SHARDS = Gauge(
    "gather_operator_shards", "Parts into which runs are split, each with a Lease.", registry=REGISTRY
)
SHARDS.set(1)
LEASE_CHANGES = Counter(
    "gather_operator_lease_changes",
    "Times that this replica has taken or lost the Lease.",
    ["change"],
    registry=REGISTRY,
)
CRD_FIELDS_MISSING = Gauge(
    "gather_operator_crd_fields_missing",
    "Fields of this version that the cluster's CRD does not know.",
    registry=REGISTRY,
)

begin_at_zero(DECISIONS, outcome=("moving", "waiting", "conflict", "refused"))
begin_at_zero(ACTIONS, action=[kind.__name__ for kind in get_args(Action)])
begin_at_zero(STATUS_WRITES, result=("written", "throttled", "conflict", "refused"))
begin_at_zero(RELISTS, kind=("gatherruns", "jobs", "pods", "configmaps"), reason=("start", "gone", "error"))
begin_at_zero(RELISTS, kind=["gatherruns"], reason=["whole"])
begin_at_zero(CMS_READS, result=("ok", "error"))
begin_at_zero(LEASE_CHANGES, change=("taken", "lost"))
