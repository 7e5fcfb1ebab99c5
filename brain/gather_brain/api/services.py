"""What endpoints are given: the embedder, and repositories for projects that the caller's key may use."""

import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from gather_brain.access import Principal
from gather_brain.embedding import Embedder
from gather_brain.errors import UnavailableError
from gather_brain.readiness import Readiness
from gather_brain.store.database import Database
from gather_brain.store.repository import ProjectRepository


@dataclass(frozen=True, slots=True)
class Services:
    """What lives as long as the process."""

    database: Database
    embedder: Embedder
    readiness: Readiness


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's view of the services."""

    principal: Principal
    services: Services

    def project(self, project_id: str) -> ProjectRepository:
        """Return the project's repository.

        Raises:
            NotFoundError: the key may not use the project.
            UnavailableError: Neo4j has not been reached since the start.
        """
        repository = self.principal.open(self.services.database, project_id, self.services.embedder.name)
        if not self.services.readiness.is_prepared:
            raise UnavailableError
        return repository


def _caller(request: Request) -> Caller:
    return Caller(principal=request.state.principal, services=request.app.state.services)


CallerDep = Annotated[Caller, Depends(_caller)]


class Stopwatch:
    """Milliseconds since its making, and since the lap before."""

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
