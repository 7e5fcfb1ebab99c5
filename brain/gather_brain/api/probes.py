"""/healthz, /readyz and /metrics: for the platform, without a key."""

from dataclasses import asdict
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer 200: the process is alive; nothing outside it counts."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Answer 200 if requests can be served now, else 503 with the reason."""
    state = await request.app.state.dependencies.readiness.state()
    status = HTTPStatus.OK if state.status == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
    headers = {} if status == HTTPStatus.OK else {"Retry-After": "2"}
    return JSONResponse(asdict(state), status, headers)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format."""
    return Response(request.app.state.metrics.render(), media_type=CONTENT_TYPE_LATEST)
