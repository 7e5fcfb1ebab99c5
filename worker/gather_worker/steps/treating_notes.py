"""People's notes without a department that treat this one all the same: they count as its own.

The brain decides, and only where it is sure (docs/quality.md); where it cannot be asked, none of them counts.
It is asked until it has answered once, so that the same notes count in every measurement of the process. What
people delete meanwhile no longer counts.
"""

import logging
from collections.abc import Sequence
from typing import Final

from gather_clients.notes.note import Note
from gather_contracts.brain import CONTENT_MAX, COVERAGE_ITEMS_MAX, EXCLUDED_IDS_MAX, NODE_ID_MAX
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import BrainUnusable
from gather_worker.services.brain import Brain
from gather_worker.steps.project_notes import ProjectNotes

COUNTED_MAX: Final = 30
"""The nearest; coverage is shown 100 notes, and most of them are to be the department's own."""

_LOGGER = logging.getLogger(__name__)


class TreatingNotes:
    """Finds them once."""

    def __init__(self, task: DepartmentTask, notes: ProjectNotes, brain: Brain) -> None:
        self._task = task
        self._notes = notes
        self._brain = brain
        self._ids: Sequence[str] | None = None

    async def find(self) -> list[Note]:
        """Return them, the oldest first; none while the brain cannot say which they are."""
        if self._ids is None:
            try:
                self._ids = await self._ask()
            except BrainUnusable:
                _LOGGER.warning("people's notes without a department do not count: the brain is unavailable")
        wanted = frozenset(self._ids or ())
        return [note for note in self._undecided() if note.id in wanted]

    def _undecided(self) -> list[Note]:
        return [note for note in self._notes.known if not note.is_automated and not note.department]

    async def _ask(self) -> Sequence[str] | None:
        """Return their ids, None where the brain knows nothing of the project yet; raises BrainUnusable."""
        # The brain has no names for notes whose ids are longer than it takes.
        candidates = [note for note in self._undecided() if len(note.id) <= NODE_ID_MAX]
        if len(candidates) > COVERAGE_ITEMS_MAX:
            near = await self._nearest_ids()
            candidates = [note for note in candidates if note.id in near]
        if not candidates:
            return ()
        found = await self._brain.treating(self._task.department, candidates)
        if found is None:
            return None
        counted = found[:COUNTED_MAX]
        if counted:
            _LOGGER.info("people's notes without a department that count for this one: %d", len(counted))
        return counted

    async def _nearest_ids(self) -> frozenset[str]:
        """Return the ids of the notes that are nearest to what the department is for."""
        department = self._task.department
        matter = f"{department.name}: {department.description}".strip()[:CONTENT_MAX]
        ours = [note.id for note in reversed(self._notes.known) if note.is_automated]
        excluded = [each for each in ours if len(each) <= NODE_ID_MAX][:EXCLUDED_IDS_MAX]
        (nearest,) = await self._brain.nearest([matter], excluded)
        return frozenset(node.node_id for node in nearest)
