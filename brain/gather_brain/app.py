"""The application: endpoints, middleware and what lives as long as they do, put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from gather_brain import __version__, answers
from gather_brain.access import KeyRing
from gather_brain.api import context, coverage, nodes, operation, search
from gather_brain.api.services import Services
from gather_brain.documentation import document_with
from gather_brain.embedding import Embedder, EmbeddingProvider
from gather_brain.errors import ServiceError
from gather_brain.keys import BootstrapKey
from gather_brain.metrics import Metrics
from gather_brain.middleware import API, Bodies, Keys, Requests
from gather_brain.readiness import Readiness
from gather_brain.settings import Settings
from gather_brain.store.database import Database
from gather_brain.store.keys import KeyStore
from gather_contracts.brain import ErrorBody

DESCRIPTION = (
    "Nodes, duplicates, context and coverage of film projects, each project kept apart from all others."
)
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": description}
    for status, description in (
        (400, "validation_failed or batch_validation_failed"),
        (401, "unauthorized: invalid or missing API key"),
        (404, "not_found: no such project for this key"),
        (413, "payload_too_large"),
        (415, "unsupported_media_type"),
        (503, "service_unavailable: try again after Retry-After"),
    )
}


def build_app(
    settings: Settings, bootstrap: Sequence[BootstrapKey], provider: EmbeddingProvider, metrics: Metrics
) -> FastAPI:
    """Return the application; it opens Neo4j when it starts and closes it when it ends."""
    database = open_database(settings, metrics)
    embedder = Embedder(provider, settings.embedding_cache_entries, metrics.texts)
    readiness = Readiness(database, embedder.name, embedder.dimensions)
    ring = KeyRing(bootstrap, KeyStore(database))
    routers = (nodes.router, search.router, context.router, coverage.router)
    paths = [f"{API.rstrip('/')}{path}" for router in routers for path in _paths(router)]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = Services(database, embedder, readiness)
        app.state.metrics = metrics
        preparing = asyncio.create_task(readiness.prepare())
        try:
            yield
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
            await embedder.close()
            await database.close()

    app = FastAPI(
        title="Gather brain",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{API}openapi.json",
        docs_url=f"{API}docs",
        redoc_url=None,
        lifespan=lifespan,
        middleware=[
            Middleware(
                Requests,
                metrics=metrics,
                endpoints=[*paths, *_paths(operation.router)],
                max_requests=settings.max_requests,
            ),
            Middleware(Keys, principal_of=ring.principal_of),
            Middleware(Bodies, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s),
        ],
        exception_handlers={
            ServiceError: answers.on_service_error,
            HTTPException: answers.on_http_error,
            RequestValidationError: answers.on_invalid_request,
        },
    )
    for router in routers:
        app.include_router(router, prefix=API.rstrip("/"), responses=ERRORS)
    app.include_router(operation.router)
    # FastAPI's own way to change the document.
    app.openapi = partial(document_with, app)  # type: ignore[method-assign]
    return app


def open_database(settings: Settings, metrics: Metrics | None = None) -> Database:
    """Return the database of the settings; it connects when it is first used."""
    password = settings.neo4j_password
    auth = None if password is None else (settings.neo4j_user, password.get_secret_value())
    return Database(
        settings.neo4j_uri,
        auth,
        database=settings.neo4j_database,
        timeout_s=settings.neo4j_timeout_s,
        pool_size=settings.neo4j_pool_size,
        observe=metrics.query if metrics else None,
    )


def _paths(router: APIRouter) -> list[str]:
    return [route.path for route in router.routes if hasattr(route, "path")]
