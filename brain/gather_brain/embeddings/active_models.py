"""The embedding models of this process, and how it uses them under the plan in Neo4j.

The plan is read every second and acted upon for a few seconds at most: a server that can no longer read it
stops answering before the plan can have changed under it twice.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gather_brain.embeddings.embedder import Embedder
from gather_brain.embeddings.reembedding_plan import LEASE_S, PlanError, ReembeddingPlan, ServerRole, role_of
from gather_brain.embeddings.slots import Embedded, Model, Place, SlotName
from gather_brain.errors import UnavailableError

logger = logging.getLogger(__name__)

POLL_S: Final = 1.0
RETRY_S: Final = 0.2
"""After a plan that could not be read, which is tried for seconds already: requests may be refused until it
can be, and Neo4j answers them again."""


@dataclass(frozen=True, slots=True)
class RequestModels:
    """The models as one request uses them, from its beginning to its end."""

    role: ServerRole
    embedders: Mapping[str, Embedder]

    @property
    def place(self) -> Place:
        """Whose vectors are searched, and where they are."""
        return self.role.reads

    @property
    def embedder(self) -> Embedder:
        """The model whose vectors are searched."""
        return self.embedders[self.role.reads.model.name]

    async def embed_for_writing(self, texts: Sequence[str]) -> list[Embedded]:
        """Return the texts' vectors by every model that there is a place for.

        The next model may be unavailable: the nodes are embedded by it later.

        Raises:
            UnavailableError: a model that is needed now is unavailable, or not one of this process.
        """
        if self.role.lacks is not None:
            raise UnavailableError
        made = await asyncio.gather(*(self._embedded(place, texts) for place in self.role.writes))
        return [each for each in made if each is not None]

    async def _embedded(self, place: Place, texts: Sequence[str]) -> Embedded | None:
        try:
            return Embedded(place, await self.embedders[place.model.name].embed(texts))
        except UnavailableError:
            if place.model.name in self.role.required:
                raise
            logger.warning("the next embedding model is unavailable", extra={"model": place.model.name})
            return None


class PlanSource(Protocol):
    """Where the plan is."""

    async def read(self) -> ReembeddingPlan | None:
        """Return the plan, or None where there is none yet."""

    async def ensure(self, model: Model) -> ReembeddingPlan:
        """Return the plan, after making one where there is none."""


class ActiveModels:
    """Follows the plan; `observe` gets every plan that is read."""

    def __init__(
        self,
        embedders: Sequence[Embedder],
        plans: PlanSource,
        observe: Callable[[ReembeddingPlan], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The first of the embedders is the configured model, a second one the next."""
        self._embedders = {embedder.name: embedder for embedder in embedders}
        self._unprepared = list(embedders)
        self._plans = plans
        self._observe = observe
        self._clock = clock
        self._plan: ReembeddingPlan | None = None
        self._until = 0.0
        self._problem: str | None = "the embedding plan has not been read yet"
        self._role: ServerRole | None = None

    @property
    def problem(self) -> str | None:
        """Why this process cannot answer, if the reason is a model."""
        return self._problem

    @property
    def name(self) -> str:
        """The name of the model that is searched with, or of the configured one before it is known."""
        return self._role.reads.model.name if self._role else next(iter(self._embedders))

    @property
    def slot(self) -> SlotName:
        """Where the vectors are that are searched now."""
        return self._plan.active.slot if self._plan else "a"

    def for_request(self) -> RequestModels | None:
        """Return the models for one request.

        None: the plan has not been read for too long, or it asks for a model that this process does not have.
        """
        if self._role is None or self._clock() > self._until:
            return None
        return RequestModels(self._role, self._embedders)

    async def prepare(self) -> ReembeddingPlan:
        """Prepare the models, make the first plan where there is none, and return the plan.

        Raises:
            UnavailableError: Neo4j is unavailable, or the configured model is and there is no plan yet.
        """
        await self._prepare_embedders()
        plan = await self._plans.read()
        if plan is None:
            first = next(iter(self._embedders.values()))
            await first.prepare()
            plan = await self._plans.ensure(Model(first.name, first.dimensions))
        await self.refresh()
        return plan

    async def watch(self) -> None:
        """Read the plan until cancelled."""
        pause_s = POLL_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = POLL_S
            try:
                await self._prepare_embedders()
                await self.refresh()
            except UnavailableError:
                logger.debug("the embedding plan cannot be read")
                pause_s = RETRY_S
            except Exception:
                logger.exception("following the embedding plan failed")

    async def refresh(self) -> None:
        """Read the plan and find out what it means for this process.

        Raises:
            UnavailableError: Neo4j is unavailable.
        """
        # Counted from before the query: the plan may have changed since it was read.
        until = self._clock() + LEASE_S
        plan = await self._plans.read()
        if plan is None:
            return
        self._take_over(plan)
        self._until = until
        if self._observe:
            self._observe(plan)

    def _take_over(self, plan: ReembeddingPlan) -> None:
        known = tuple(
            Model(embedder.name, embedder.dimensions)
            for embedder in self._embedders.values()
            if embedder not in self._unprepared
        )
        problem: str | None = None
        role: ServerRole | None = None
        try:
            role = role_of(plan, known)
        except PlanError as failure:
            problem = str(failure)
        if problem != self._problem and problem is not None:
            logger.error("the embeddings cannot be used", extra={"reason": problem})
        if self._plan is None or self._plan.epoch != plan.epoch:
            fields = {"phase": plan.phase.value, "active": plan.active.model.name}
            logger.info(
                "the embedding plan has changed",
                extra=fields | {"other": plan.other.name if plan.other else None},
            )
        self._plan, self._role, self._problem = plan, role, problem

    async def _prepare_embedders(self) -> None:
        """Prepare what is not prepared; an unavailable model is tried again later."""
        for embedder in tuple(self._unprepared):
            try:
                await embedder.prepare()
                self._unprepared.remove(embedder)
            except UnavailableError:
                logger.warning("an embedding model is unavailable", extra={"model": embedder.name})

    async def close(self) -> None:
        """Close all models."""
        for embedder in self._embedders.values():
            await embedder.close()
