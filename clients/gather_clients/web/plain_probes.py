"""What Kubernetes asks of a process: /healthz and /readyz, as plain text."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response


def add_probes(
    app: FastAPI,
    *,
    trouble: Callable[[], str | None],
    waits_for: Callable[[], str | None],
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
