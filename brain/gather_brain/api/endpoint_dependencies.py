"""What endpoints work with: embedding models, and repositories of projects that the caller's key may use."""

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import State

from gather_brain.auth.key_ring import Principal
from gather_brain.context.profile_refresher import ProfileRefresher
from gather_brain.embeddings.active_models import ActiveModels, RequestModels
from gather_brain.errors import RateLimitedError, UnavailableError, ValidationFailedError
from gather_brain.limits.policy import LimitName, limit_of
from gather_brain.readiness import Readiness
from gather_brain.store.database import Database
from gather_brain.store.repository import ProjectRepository
from gather_clients.limits.buckets import Buckets


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What lives as long as the process."""

    database: Database
    models: ActiveModels
    readiness: Readiness
    buckets: Buckets
    profile_refresher: ProfileRefresher


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, and what may serve it."""

    principal: Principal
    dependencies: Dependencies
    limit: LimitName
    state: State
    request_models: RequestModels | None

    @property
    def models(self) -> RequestModels:
        """The embedding models, the same for the whole request.

        Raises:
            UnavailableError: Neo4j has not been reached lately, or its nodes have another embedding model.
        """
        if self.request_models is None:
            raise UnavailableError
        return self.request_models

    async def open_project(self, project_id: str) -> ProjectRepository:
        """Charge the key's bucket for the project and the endpoint, and return the project's repository.

        Raises:
            NotFoundError: the key may not use the project; none of its buckets is touched.
            RateLimitedError: too many requests.
            UnavailableError: as for `models`.
        """
        await self.charge(project_id)
        return self.principal.open(self.dependencies.database, project_id, self.models.place)

    async def charge(self, project_id: str) -> None:
        """Charge the key's bucket for the project and the endpoint; errors as for `open_project`."""
        self.principal.require(project_id)
        bucket = bucket_of(self.principal, project_id, self.limit)
        limit = await self.dependencies.buckets.charge(bucket, self.principal.policy(self.limit))
        self.state.charged = True
        self.state.limit = limit
        if not limit.admitted:
            raise RateLimitedError(limit.policy.per_minute, limit.next_s)


def bucket_of(principal: Principal, project_id: str, limit: LimitName) -> str:
    """Return the name of a key's bucket for a project and a limit."""
    return f"{principal.key_id}:{project_id}:{limit}"


def _caller(request: Request) -> Caller:
    dependencies: Dependencies = request.app.state.dependencies
    return Caller(
        principal=request.state.principal,
        dependencies=dependencies,
        limit=limit_of(request.method, request.scope["path"]),
        state=request.state,
        request_models=dependencies.models.for_request() if dependencies.readiness.is_prepared else None,
    )


CallerDep = Annotated[Caller, Depends(_caller)]


def single(*names: str) -> Any:
    """Return what refuses a query that repeats one of the parameters: one of its values would be ignored."""

    def require_single(request: Request) -> None:
        repeated = [name for name in names if len(request.query_params.getlist(name)) > 1]
        if repeated:
            details = dict.fromkeys(repeated, "Parameter should be given once")
            raise ValidationFailedError(f"Request validation failed: {', '.join(repeated)}", details)

    return Depends(require_single)


class Stopwatch:
    """Milliseconds since the start and since the last lap."""

    def __init__(self) -> None:
        self._started = self._lap = time.perf_counter()

    def lap_ms(self) -> int:
        """Return the time since the last lap."""
        now = time.perf_counter()
        passed, self._lap = now - self._lap, now
        return round(passed * 1000)

    def total_ms(self) -> int:
        """Return the time since the start."""
        return round((time.perf_counter() - self._started) * 1000)
