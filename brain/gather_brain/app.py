"""The application: endpoints, middleware and what they depend on, put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from gather_brain.api import (
    context_routes,
    coverage_routes,
    error_responses,
    limit_routes,
    node_routes,
    probes,
    project_routes,
    search_routes,
    stored_node_routes,
)
from gather_brain.api.cross_origin import CrossOrigin
from gather_brain.api.endpoint_dependencies import Dependencies
from gather_brain.api.middleware import Authentication, RefusalLimit, RequestRecord, limit_shown
from gather_brain.auth.api_keys import BootstrapKey
from gather_brain.auth.key_ring import KeyRing
from gather_brain.context.profile_refresher import ProfileRefresher
from gather_brain.context.theme_llm import ThemeLlm
from gather_brain.context.theme_refiner import CallBudget, ThemeRefiner
from gather_brain.embeddings.active_models import ActiveModels
from gather_brain.embeddings.embedder import Embedder
from gather_brain.errors import ServiceError
from gather_brain.limits.policy import DEFAULTS, METHODS
from gather_brain.metrics import Metrics
from gather_brain.openapi.document import TITLE, build_document
from gather_brain.opened_database import open_database
from gather_brain.readiness import Readiness
from gather_brain.settings import Settings
from gather_brain.store.keys import KeyStore
from gather_brain.store.reembedding_plans import PlanStore
from gather_clients.background_tasks import end_tasks
from gather_clients.limits.buckets import Buckets, LocalBuckets
from gather_clients.limits.gcra import LimitState, header_fields
from gather_clients.limits.redis_buckets import RedisBuckets
from gather_clients.web import docs_routes, error_bodies
from gather_clients.web.request_frame import API, BodyLimit, Instrumentation, LastResort

ROUTERS: Final = (
    node_routes.router,
    stored_node_routes.router,
    search_routes.router,
    context_routes.router,
    coverage_routes.router,
    project_routes.router,
    limit_routes.router,
)
PREFIX: Final = API.rstrip("/")
BUCKETS_PREFIX: Final = "gather-brain:limit:"
PREFLIGHT_KEPT_S: Final = 600
HELD_BODIES_MAX_BYTES: Final = 32 * 1024 * 1024
"""Of all requests under way; a hundred ordinary batches are 5 MB."""
SHOWN_HEADERS: Final = (*header_fields(LimitState(DEFAULTS["refused"]), 0), "Retry-After", "X-Request-Id")
"""What a page's script may read of an answer besides its body."""


def build_app(
    settings: Settings, bootstrap: Sequence[BootstrapKey], embedders: Sequence[Embedder], metrics: Metrics
) -> FastAPI:
    """Return the application; it opens Neo4j when it starts and closes it when it ends."""
    database = open_database(settings, metrics)
    models = ActiveModels(embedders, PlanStore(database), metrics.reembedding)
    readiness = Readiness(database, models, metrics.ready)
    ring = KeyRing(bootstrap, KeyStore(database))
    buckets = open_buckets(settings, metrics)
    theme_llm = ThemeLlm(settings.themes) if settings.themes.base_url else None
    refresher = ProfileRefresher(build_refiner(settings, theme_llm, metrics))
    paths = [f"{PREFIX}{path}" for router in ROUTERS for path in _paths(router)]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.dependencies = Dependencies(database, models, readiness, buckets, refresher)
        background = [asyncio.create_task(work) for work in (readiness.run(), refresher.run())]
        try:
            yield
        finally:
            await end_tasks(background)
            if theme_llm:
                await theme_llm.close()
            await buckets.close()
            await models.close()
            await database.close()

    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=[
            Middleware(
                Instrumentation,
                record=RequestRecord(metrics, [*paths, *_paths(probes.router)]),
                limit_of=limit_shown,
            ),
            *_cross_origin(settings.allowed_origins),
            Middleware(LastResort, max_requests=settings.max_requests),
            Middleware(Authentication, principal_of=ring.principal_of),
            Middleware(RefusalLimit, buckets=buckets),
            Middleware(
                BodyLimit,
                endpoints=[f"{PREFIX}{path}" for router in ROUTERS for path in _paths(router, "POST")],
                max_bytes=settings.max_body_bytes,
                timeout_s=settings.body_timeout_s,
                held_max_bytes=max(HELD_BODIES_MAX_BYTES, settings.max_body_bytes),
            ),
        ],
        exception_handlers={
            ServiceError: error_bodies.on_service_error,
            HTTPException: error_bodies.on_http_error,
            RequestValidationError: error_responses.on_invalid_request,
        },
    )
    app.state.readiness = readiness
    for router in (*ROUTERS, docs_routes.build_router(published_document(), TITLE)):
        app.include_router(router, prefix=PREFIX)
    app.include_router(probes.router)
    return app


def _cross_origin(origins: Sequence[str]) -> list[Middleware]:
    """Return what lets pages of these origins call the API.

    Before the keys, since preflights carry none, and around all that refuses, for a page's script to read.
    """
    if not origins:
        return []
    return [
        Middleware(
            CrossOrigin,
            allow_origins=origins,
            allow_methods=sorted(METHODS),
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=SHOWN_HEADERS,
            max_age=PREFLIGHT_KEPT_S,
        )
    ]


def published_document() -> dict[str, Any]:
    """Return the OpenAPI document of the API."""
    return build_document(ROUTERS, PREFIX)


def build_refiner(settings: Settings, llm: ThemeLlm | None, metrics: Metrics) -> ThemeRefiner | None:
    """Return what refines themes, if a model is configured for it."""
    if llm is None:
        return None
    return ThemeRefiner(
        llm, CallBudget(settings.themes.calls_per_hour), settings.themes.lease_s, metrics.theme_refinement
    )


def open_buckets(settings: Settings, metrics: Metrics) -> Buckets:
    """Return the buckets of the rate limits; the first charge connects to Redis."""
    shared = (
        RedisBuckets(settings.redis, settings.redis_timeout_s, prefix=BUCKETS_PREFIX)
        if settings.redis_url
        else None
    )
    return Buckets(shared, LocalBuckets(), metrics.limits_shared)


def _paths(router: APIRouter, method: str | None = None) -> list[str]:
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    return [route.path_format for route in routes if method is None or method in (route.methods or ())]
