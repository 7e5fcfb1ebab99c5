"""Brings accepted notes to where others find them: MongoDB and the brain, in the end with their score.

All of it can be repeated, by this worker or by a successor, and changes nothing the second time: what a
person has deleted in between stays deleted.
"""

import logging

from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import BrainUnusable, Fenced, WriteRefused
from gather_worker.services.brain import INDEX_BATCH, Brain
from gather_worker.services.store import Store
from gather_worker.steps.checkpointer import Checkpointer
from gather_worker.steps.project_notes import ProjectNotes

_LOGGER = logging.getLogger(__name__)


class Publisher:
    """Publishes the department's notes, and those that other departments' workers left behind."""

    def __init__(
        self,
        task: DepartmentTask,
        checkpointer: Checkpointer,
        notes: ProjectNotes,
        store: Store,
        brain: Brain,
    ) -> None:
        self._task = task
        self._checkpointer = checkpointer
        self._notes = notes
        self._store = store
        self._brain = brain

    async def save(self) -> None:
        """Bring the notes that were accepted last into MongoDB."""
        while pending := self._checkpointer.checkpoint.pending:
            items = await self._store.batch_of(pending)
            await self._checkpointer.publish(items)
            self._notes.add(items)
            _LOGGER.debug("%d notes are in MongoDB", len(items))

    @property
    def has_indexed_none(self) -> bool:
        """Return whether the brain has none of the project's notes yet, as far as is known here."""
        waiting = set(self._checkpointer.checkpoint.unindexed)
        return all(item.id in waiting for item in self._notes.known)

    async def index(self) -> None:
        """Bring the notes that wait for the brain there; raises BrainUnusable."""
        while waiting := self._checkpointer.checkpoint.unindexed:
            ids = waiting[:INDEX_BATCH]
            await self._index_batch(ids)
            await self._checkpointer.save(lambda checkpoint: checkpoint.indexed(set(ids)))  # noqa: B023 - called at once
            _LOGGER.debug("%d notes are in the brain", len(ids))

    async def try_index(self) -> None:
        """Index if the brain can be reached; else the notes wait."""
        try:
            await self.index()
        except BrainUnusable:
            _LOGGER.warning("%d notes wait for the brain", len(self._checkpointer.checkpoint.unindexed))

    async def write_score(self) -> None:
        """Write the last iteration's score on its notes in MongoDB."""
        checkpoint = self._checkpointer.checkpoint
        if (score := checkpoint.scores[-1]) is not None:
            await self._store.set_scores(self._notes.ids_of(checkpoint.iterations), score)

    async def publish_leftovers(self) -> bool:
        """Publish the notes that other departments' workers accepted and could not bring everywhere.

        Return whether any were tried.
        """
        were_there = False
        try:
            own, is_beside_others = self._checkpointer.checkpoint, self._task.is_beside_others
            for other in await self._store.leftovers(own, is_beside_others=is_beside_others):
                saved = await self._save_leftover(other)
                if saved is None:
                    continue
                ids, were_there = saved.unindexed, True
                await self._score_leftover(saved)
                for start in range(0, len(ids), INDEX_BATCH):
                    await self._index_batch(ids[start : start + INDEX_BATCH])
                await self._store.clear_leftover(saved)
                _LOGGER.info("indexed %d notes that department %s had left", len(ids), other.department)
        except BrainUnusable:
            _LOGGER.warning("notes of other departments wait for the brain")
        return were_there

    async def _score_leftover(self, other: Checkpoint) -> None:
        """Write the score of another department's last iteration, which its worker may be about to do.

        Else its notes would be indexed without it, and nothing would say that they wait.
        """
        score = other.scores[-1] if other.is_scored and other.scores else None
        if score is None:
            return
        last = (other.run_uid, other.iterations)
        notes = await self._store.notes_by_id(other.unindexed)
        ids = [n.id for n in notes if n.origin and (n.origin.run_uid, n.origin.iteration) == last]
        try:
            await self._store.set_scores(ids, score)
        except WriteRefused as error:
            _LOGGER.error("the score of department %s's notes is refused: %s", other.department, error)  # noqa: TRY400

    async def _save_leftover(self, other: Checkpoint) -> Checkpoint | None:
        """Save another department's notes and return its checkpoint; None where that is not for this worker.

        What its collection refuses must not end this department.
        """
        try:
            while other.pending:
                items = await self._store.batch_of(other.pending)
                saved = other.saved({item.id for item in items}).revised()
                await self._store.publish(saved, items)
                other = saved
        except WriteRefused as error:
            _LOGGER.error("notes that department %s had left are refused: %s", other.department, error)  # noqa: TRY400
            return None
        except Fenced:
            _LOGGER.info("department %s is at work on the notes that it had left", other.department)
            return None
        return other

    async def _index_batch(self, ids: list[str]) -> None:
        if notes := await self._store.notes_by_id(ids):
            await self._brain.index(notes)
