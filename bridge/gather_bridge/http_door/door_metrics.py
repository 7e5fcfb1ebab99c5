"""The HTTP door's Prometheus metrics. Labels are words from closed lists, never names of keys or projects."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gather_bridge.http_door.door_keys import DEFAULTS
from gather_bridge.metrics import WHY_DROPPED
from gather_bridge.webhooks.task_callbacks import CallbackState
from gather_clients.web.metric_series import begin_at_zero

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CALLS: Final = (
    ("POST", "/api/v1/tasks/submit"),
    ("GET", "/api/v1/tasks/{id}/status"),
    ("DELETE", "/api/v1/tasks/{id}/cancel"),
    ("DELETE", "/api/v1/tasks/{id}"),
)
"""The API's methods and paths, as labels."""
FAILURES: Final = ("500", "503")


class DoorMetrics:
    """One set of metrics with a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gather_door_requests",
            "Requests answered.",
            ["endpoint", "method", "status"],
            registry=self.registry,
        )
        self.durations = Histogram(
            "gather_door_request_duration_seconds",
            "Time to answer.",
            ["endpoint"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.limited = Counter(
            "gather_door_limited", "Requests answered with 429.", ["limit"], registry=self.registry
        )
        self.limits_shared = Gauge(
            "gather_door_limits_shared",
            "1 while replicas count limits together in Redis, 0 while this process counts alone.",
            registry=self.registry,
        )
        self.submitted = Counter(
            "gather_door_tasks_submitted",
            "Tasks submitted: new, or again with the same idempotency key.",
            ["result"],
            registry=self.registry,
        )
        self.callbacks = Counter(
            "gather_door_callbacks", "Callbacks, by what became of them.", ["result"], registry=self.registry
        )
        self.callbacks_waiting = Gauge(
            "gather_door_callbacks_waiting",
            "Callbacks of ended runs that are not delivered yet.",
            registry=self.registry,
        )
        self.watch_up = Gauge(
            "gather_door_watch_up", "1 while GatherRuns are watched.", registry=self.registry
        )
        self.api_errors = Counter(
            "gather_door_api_errors",
            "Calls of the Kubernetes API without an ordinary answer.",
            ["call", "error"],
            registry=self.registry,
        )
        self.dropped = Counter(
            "gather_door_connections_dropped",
            "Connections without a request in time, or one too many of them.",
            ["why"],
            registry=self.registry,
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        begin_at_zero(self.callbacks, result=(CallbackState.DELIVERED, CallbackState.GIVEN_UP))
        for method, endpoint in CALLS:
            begin_at_zero(self.requests, endpoint=[endpoint], method=[method], status=FAILURES)
        begin_at_zero(self.limited, limit=DEFAULTS)
        begin_at_zero(self.submitted, result=("new", "repeated"))
        begin_at_zero(self.dropped, why=WHY_DROPPED)

    def watch_stands(self, stands: Callable[[], bool]) -> None:
        """Read at each scrape whether GatherRuns are watched."""
        self.watch_up.set_function(lambda: float(stands()))
