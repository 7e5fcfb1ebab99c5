"""What Kubernetes and Prometheus ask of a process: /healthz, /readyz and /metrics, as plain text."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST


def add_probes(
    app: FastAPI,
    *,
    trouble: Callable[[], str | None],
    waits_for: Callable[[], str | None],
    registry: Callable[[], CollectorRegistry],
) -> None:
    """Add them; against `trouble` only a new process helps, `waits_for` says why no request should come."""

    @app.get("/healthz")
    async def healthz() -> Response:
        """Fail if a task has ended that never should: only a new process helps."""
        said = trouble()
        return PlainTextResponse(said or "ok", 500 if said else 200)

    @app.get("/readyz")
    async def readyz() -> Response:
        """Fail while requests cannot be served, and say why."""
        said = waits_for()
        return PlainTextResponse(said or "ok", 503 if said else 200)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Return the metrics in Prometheus' text format."""
        return Response(generate_latest(registry()), media_type=CONTENT_TYPE_LATEST)
