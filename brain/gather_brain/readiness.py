"""Whether the brain can serve: Neo4j reachable, schema there, model as on the nodes, vector index online.

The status is "starting" until Neo4j has been reached for the first time and "unavailable" if it is lost
later, which tells a slow start from a failure.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from gather_brain.embeddings.active_models import ActiveModels
from gather_brain.errors import UnavailableError
from gather_brain.store.database import Database
from gather_brain.warm_up import warm_up
from gather_clients.backoff import Backoff

logger = logging.getLogger(__name__)

RETRY: Final = Backoff(first_s=0.5, last_s=5.0)
WARM_UPS_MAX: Final = 3
"""It is for the first requests' speed; a slow Neo4j must not keep all from being served for it."""
PROBE_COUNTS_S: Final = 1.0
"""However many probes come, Neo4j gets one query a second at most."""

Status = Literal["starting", "ready", "unavailable", "stopping"]


@dataclass(frozen=True, slots=True)
class ReadinessState:
    """One answer of `/readyz`."""

    status: Status
    model: str
    neo4j: str
    reason: str | None = None
    """What must be done, if waiting does not help."""


class Readiness:
    """Prepares Neo4j as soon as it is available, and knows from then on whether it still is.

    Ready is who has done once what requests ask for: the first one is not to pay for compiling.
    """

    def __init__(
        self,
        database: Database,
        models: ActiveModels,
        show: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`show` is called with each answer, and as soon as the first one would be that it is ready."""
        self._database = database
        self._models = models
        self._show = show
        self._clock = clock
        self._prepared = False
        self._warm_ups_left = WARM_UPS_MAX
        self._stopping = False
        self._probed: tuple[float, bool] | None = None
        self._probing = asyncio.Lock()

    def stop(self) -> None:
        """Be not ready from now on: this process ends soon."""
        self._stopping = True

    @property
    def is_prepared(self) -> bool:
        """Whether the schema has been there since this process started."""
        return self._prepared

    async def run(self) -> None:
        """Create the schema, then follow the embedding plan."""
        await self.prepare()
        await self._models.watch()

    async def prepare(self) -> None:
        """Create the schema, trying again until it exists."""
        failures = 0
        while not self._prepared:
            try:
                await self._database.prepare()
                for place in (await self._models.prepare()).places:
                    await self._database.prepare_vectors(place.slot, place.model.dimensions)
                if await self._database.is_index_online(self._models.slot):
                    await self._warm_up()
                    self._prepared = True
            except UnavailableError:
                level = logging.ERROR if self._database.refusal else logging.INFO
                extra = {"wait_s": RETRY.wait_s(failures + 1), "refusal": self._database.refusal}
                logger.log(level, "waiting for Neo4j", extra=extra)
            except Exception:
                logger.exception("Neo4j cannot be prepared")
            if not self._prepared:
                failures += 1
                await asyncio.sleep(RETRY.wait_s(failures))
        self._show(True)
        logger.info("Neo4j is prepared", extra={"model": self._models.name})

    async def _warm_up(self) -> None:
        """Do what requests will ask for; where Neo4j is too slow for that again and again, serve without.

        The plan is read before and after: it may take longer than what has been read of it counts.
        """
        try:
            await self._models.refresh()
            await warm_up(self._database, self._models)
        except UnavailableError:
            self._warm_ups_left -= 1
            if self._warm_ups_left:
                raise
            logger.warning("not warm: the first requests may be slow")
        await self._models.refresh()

    async def state(self) -> ReadinessState:
        """Return whether the brain can serve now."""
        found = await self._state()
        self._show(found.status == "ready")
        return found

    async def _state(self) -> ReadinessState:
        model = self._models.name
        if self._stopping:
            return ReadinessState("stopping", model, "not checked while shutting down")
        if not self._prepared:
            return ReadinessState("starting", model, "not reached yet", self._database.refusal or None)
        async with self._probing:
            now = self._clock()
            if self._probed is None or now - self._probed[0] >= PROBE_COUNTS_S:
                self._probed = (now, await self._database.is_serving(self._models.slot))
        if not self._probed[1]:
            why = "not reachable, or its index is not online"
            return ReadinessState("unavailable", model, why, self._database.refusal or None)
        if self._models.problem is not None:
            return ReadinessState("unavailable", model, "online", self._models.problem)
        if self._models.for_request() is None:
            return ReadinessState("unavailable", model, "slow: the embedding plan could not be read lately")
        return ReadinessState("ready", model, "online")
