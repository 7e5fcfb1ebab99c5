"""What follows once an iteration's notes are accepted: MongoDB, the brain, the score, the event log.

All of it can be done again, by this worker or by a successor, and changes nothing the second time.
"""

import logging
from collections.abc import Callable

from gather_contracts.brain import CoverageResponse
from gather_contracts.items import GatherItem
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import BrainAway
from gather_worker.schemas import ITEMS_MAX
from gather_worker.services.brain import INDEX_BATCH
from gather_worker.steps.checkpointer import Checkpointer
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.measuring import Advisers, Measurement, measure, together

_LOGGER = logging.getLogger(__name__)


class Publisher:
    """Brings accepted notes to where they belong; `items` are the project's, the oldest first.

    `on_coverage` hears what the brain finds as soon as it is known; the model takes longer.
    """

    def __init__(
        self,
        task: DepartmentTask,
        checkpointer: Checkpointer,
        dependencies: Dependencies,
        advisers: Advisers,
        on_coverage: Callable[[CoverageResponse], None],
    ) -> None:
        self.task = task
        self.checkpointer = checkpointer
        self.dependencies = dependencies
        self._advisers = advisers
        self._on_coverage = on_coverage
        self.items: list[GatherItem] = []

    @property
    def _checkpoint(self) -> Checkpoint:
        return self.checkpointer.checkpoint

    async def publish(self) -> None:
        """Bring the last accepted iteration everywhere: MongoDB, the brain, its score, the event log."""
        if self._checkpoint.pending:
            await self._save()
        if not self._checkpoint.iterations:
            return
        if self._checkpoint.is_scored:
            # A predecessor was killed between measuring and writing the score on the notes.
            await self._write_score()
            await self._try_index()
        else:
            await self._index_and_score()
            await self._write_score()
        await self.dependencies.events.iterated(self._checkpoint)

    async def _save(self) -> None:
        pending = self._checkpoint.pending
        await self.dependencies.store.save_items(pending)
        known = {item.id for item in self.items}
        self.items += [item for item in pending if item.id not in known]
        await self.checkpointer.save(Checkpoint.saved)
        _LOGGER.debug("%d notes are in MongoDB", len(pending))

    async def _index_and_score(self) -> None:
        """Index and measure at the same time, since the brain needs seconds less than the model.

        The score is kept last: notes that were indexed without it are noted then as waiting again. A brain
        that has nothing of the project yet refuses to measure, so that there one goes after the other.
        """
        waiting = set(self._checkpoint.unindexed)
        if all(item.id in waiting for item in self.items):
            await self._try_index()
            measured = await self._measured()
        else:
            measured, _ = await together(self._measured(), self._try_index())
        new = self._new_ids()
        await self.checkpointer.save(
            lambda checkpoint: checkpoint.scored(measured.quality, measured.gaps, new)
        )

    async def _try_index(self) -> None:
        try:
            await self.index()
        except BrainAway:
            _LOGGER.warning("%d notes wait for the brain", len(self._checkpoint.unindexed))

    async def _measured(self) -> Measurement:
        quality, new = self._checkpoint.quality, self._new_ids()
        if quality is not None and not new:
            # The same notes have the same quality; asking again would only cost.
            return Measurement(quality, None)
        own = [item for item in self.items if item.department == self.task.department.slug]
        earlier = quality.coverage if quality else None
        return await measure(self._advisers, self.task.department, own, earlier, self._on_coverage)

    def _new_ids(self) -> list[str]:
        """Return the ids of the last iteration's notes."""
        ids = set(self.task.item_ids(self._checkpoint.iterations, ITEMS_MAX))
        return [item.id for item in self.items if item.id in ids]

    async def _write_score(self) -> None:
        score = self._checkpoint.scores[-1]
        if score is not None:
            ids = self.task.item_ids(self._checkpoint.iterations, ITEMS_MAX)
            await self.dependencies.store.set_scores(ids, score)

    async def index(self) -> None:
        """Bring the notes that wait for the brain there; raises BrainAway."""
        while self._checkpoint.unindexed:
            await self._index_next(self._checkpoint.unindexed[:INDEX_BATCH])

    async def _index_next(self, ids: list[str]) -> None:
        await self._index_batch(ids)
        await self.checkpointer.save(lambda checkpoint: checkpoint.indexed(set(ids)))
        _LOGGER.debug("%d notes are in the brain", len(ids))

    async def _index_batch(self, ids: list[str]) -> None:
        items = await self.dependencies.store.items_by_id(ids)
        if items:
            await self.dependencies.brain.index(items)

    # --- what other departments left

    async def publish_leftovers(self) -> None:
        """Bring the notes that other departments' workers could not bring everywhere to where they belong."""
        try:
            for other in await self.dependencies.store.leftovers(self._checkpoint.id):
                await self._publish_other(other)
        except BrainAway:
            _LOGGER.warning("notes of other departments wait for the brain")

    async def _publish_other(self, other: Checkpoint) -> None:
        await self.dependencies.store.save_items(other.pending)
        ids = [*other.unindexed, *(item.id for item in other.pending)]
        for start in range(0, len(ids), INDEX_BATCH):
            await self._index_batch(ids[start : start + INDEX_BATCH])
        await self.dependencies.store.clear_leftover(other)
        _LOGGER.info("indexed %d notes that department %s had left", len(ids), other.department)
