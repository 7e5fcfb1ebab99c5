"""/healthz and /readyz: for the platform, without a key."""

from dataclasses import asdict
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

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
