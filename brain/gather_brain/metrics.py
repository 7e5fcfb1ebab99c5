"""The brain's metrics, under the names that the requirements give.

Durations are histograms, since quantiles of several replicas cannot be added up.
"""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from gather_brain.embeddings.readability import Unread
from gather_brain.embeddings.reembedding_plan import Phase, ReembeddingPlan
from gather_brain.limits.policy import ENDPOINTS, METHODS, PATHS
from gather_clients.web.metric_series import begin_at_zero

OTHER: Final = "other"
"""What callers make up, all of it together: their words are no labels."""
REQUEST_SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.8, 1.0, 1.2, 1.5, 1.6, 2.0, 2.25, 3.0, 4.0, 6.0, 8.0,
    16.0,
)  # fmt: skip
"""With the required limits of the endpoints (0.5, 0.8, 1, 1.5, 4 s), and 1.5 and 2 times these, among the
bounds, so that the alerts on them are exact; and one beyond, since no quantile is above the last bound."""
SMALL_BATCH_NODES: Final = 10
"""Up to so many nodes a batch has the shorter of its two required times."""
FAILURES: Final = ("500", "503")
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 1.5, 2.0, 4.0, 8.0)


class Metrics:
    """One registry for one process of the brain."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = Counter(
            "http_requests", "Requests answered", ["endpoint", "method", "status"], registry=self.registry
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Time to answer",
            ["endpoint", "status"],
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        for method, endpoint in ENDPOINTS:
            begin_at_zero(self._requests, endpoint=[endpoint], method=[method], status=FAILURES)
        self._small_batches = Histogram(
            "gather_brain_small_batch_duration_seconds",
            f"Time to answer a batch of up to {SMALL_BATCH_NODES} nodes with 200",
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        self._ready = Gauge(
            "gather_brain_ready",
            "1 while this process can serve requests, as it has last answered /readyz",
            registry=self.registry,
        )
        self._limited = Counter(
            "rate_limit_exceeded", "Requests answered with 429", ["endpoint"], registry=self.registry
        )
        begin_at_zero(self._limited, endpoint=PATHS)
        self._limits_shared = Gauge(
            "gather_brain_limits_shared",
            "1 while replicas count limits together in Redis, 0 while this process counts alone",
            registry=self.registry,
        )
        self._embeddings = Histogram(
            "embedding_generation_duration_seconds",
            "Time to embed the texts of one request that were not cached",
            ["model"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._texts = Counter(
            "embedding_texts", "Texts asked of the embedder", ["outcome"], registry=self.registry
        )
        begin_at_zero(self._texts, outcome=("hit", "miss"))
        self._unread = Counter(
            "embedding_unread_texts",
            "Texts written or searched for that the model cannot read",
            ["reason"],
            registry=self.registry,
        )
        begin_at_zero(self._unread, reason=Unread)
        self._reembedded = Gauge(
            "reembed_nodes_done", "Nodes that the next model has embedded", registry=self.registry
        )
        self._reembed_total = Gauge(
            "reembed_nodes_total", "Nodes that the next model has to embed", registry=self.registry
        )
        self._phase = Gauge(
            "reembed_phase", "1 for the phase that a change of model is in", ["phase"], registry=self.registry
        )
        self._queries = Histogram(
            "neo4j_query_duration_seconds",
            "Time of one query with its retries",
            ["query_type"],
            buckets=SECONDS,
            registry=self.registry,
        )

        self._refinements = Counter(
            "theme_refinements",
            "Departments whose themes a model was to refine",
            ["outcome"],
            registry=self.registry,
        )
        begin_at_zero(self._refinements, outcome=("refined", "failed", "limited"))

    def request(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; a method that no endpoint has counts as `other`."""
        known = method if method in METHODS else OTHER
        self._requests.labels(endpoint, known, str(status)).inc()
        self._durations.labels(endpoint, str(status)).observe(seconds)

    def small_batch(self, seconds: float) -> None:
        """Observe how long a batch of up to `SMALL_BATCH_NODES` nodes took."""
        self._small_batches.observe(seconds)

    def ready(self, is_ready: bool) -> None:
        """Set whether requests can be served."""
        self._ready.set(is_ready)

    def limit_exceeded(self, endpoint: str) -> None:
        """Count one request that a limit refused."""
        self._limited.labels(endpoint).inc()

    def limits_shared(self, is_shared: bool) -> None:
        """Set whether limits are counted with other replicas."""
        self._limits_shared.set(is_shared)

    def embedding(self, model: str, seconds: float) -> None:
        """Observe how long the model took."""
        self._embeddings.labels(model).observe(seconds)

    def texts(self, outcome: str, count: int) -> None:
        """Count texts that were in the cache ("hit") or not ("miss")."""
        self._texts.labels(outcome).inc(count)

    def unread(self, reason: Unread) -> None:
        """Count a text that the model cannot read."""
        self._unread.labels(reason.value).inc()

    def reembedding(self, plan: ReembeddingPlan) -> None:
        """Set the state of the change of model."""
        self._reembedded.set(plan.done)
        self._reembed_total.set(plan.total)
        for phase in Phase:
            self._phase.labels(phase.value).set(phase is plan.phase)

    def query(self, kind: str, seconds: float) -> None:
        """Observe how long Neo4j took."""
        self._queries.labels(kind).observe(seconds)

    def theme_refinement(self, outcome: str) -> None:
        """Count a department that a model was to refine: "refined", "failed", or "limited" by the budget."""
        self._refinements.labels(outcome).inc()
