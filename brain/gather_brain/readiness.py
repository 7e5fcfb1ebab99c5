"""Whether the brain can serve: Neo4j reachable, schema there, model as on the nodes, vector index online.

"starting" until Neo4j has been reached for the first time, "unavailable" when it is lost later, so that
somebody who looks can tell a slow start from a failure.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from gather_brain.embeddings.active_models import Models
from gather_brain.errors import UnavailableError
from gather_brain.store.database import Database

logger = logging.getLogger(__name__)

RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 5.0
PROBE_COUNTS_S: Final = 1.0
"""Probes from anybody cost Neo4j one query a second at most."""

Status = Literal["starting", "ready", "unavailable", "stopping"]


@dataclass(frozen=True, slots=True)
class State:
    """One answer to "can you serve?"."""

    status: Status
    model: str
    neo4j: str
    reason: str | None = None
    """What somebody must do, if waiting does not help."""


class Readiness:
    """Prepares Neo4j as soon as it is there, and knows ever after whether it still is."""

    def __init__(
        self, database: Database, models: Models, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._models = models
        self._clock = clock
        self._prepared = False
        self._stopping = False
        self._probed: tuple[float, bool] | None = None
        self._probing = asyncio.Lock()

    def stop(self) -> None:
        """Say from now on that nothing more should come: this process ends soon."""
        self._stopping = True

    @property
    def is_prepared(self) -> bool:
        """Whether the schema has been there since this process started."""
        return self._prepared

    async def keep(self) -> None:
        """Create the schema, and follow the plan of the embeddings from then on."""
        await self.prepare()
        await self._models.watch()

    async def prepare(self) -> None:
        """Create the schema, trying again until it stands."""
        wait_s = RETRY_FIRST_S
        while not self._prepared:
            try:
                await self._database.prepare()
                for place in (await self._models.prepare()).places:
                    await self._database.prepare_vectors(place.slot, place.model.dimensions)
                self._prepared = True
            except UnavailableError:
                logger.info("waiting for neo4j", extra={"wait_s": wait_s})
            except Exception:
                logger.exception("neo4j cannot be prepared")
            if not self._prepared:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_MAX_S)
        logger.info("neo4j is prepared", extra={"model": self._models.name})

    async def state(self) -> State:
        """Return whether the brain can serve now."""
        model = self._models.name
        if self._stopping:
            return State("stopping", model, "not asked any more")
        if not self._prepared:
            return State("starting", model, "not reached yet")
        if not await self._is_online():
            return State("unavailable", model, "not reachable, or its index is not online")
        if self._models.hindrance is not None:
            return State("unavailable", model, "online", self._models.hindrance)
        return State("ready", model, "online")

    async def _is_online(self) -> bool:
        async with self._probing:
            now = self._clock()
            if self._probed is None or now - self._probed[0] >= PROBE_COUNTS_S:
                self._probed = (now, await self._database.is_serving(self._models.slot))
            return self._probed[1]
