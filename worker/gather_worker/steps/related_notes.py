"""What the project as a whole knows that is near to a department's matter, whoever wrote it and whenever.

The brain is asked until it has answered once; until then the newest notes of other departments stand in.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Final

from gather_contracts.brain import EXCLUDED_IDS_MAX, NODE_ID_MAX, Duplicate
from gather_worker.department.task import DepartmentTask
from gather_worker.prompts.project_context import related_from_notes
from gather_worker.prompts.truncation import Excerpt
from gather_worker.steps.opening_questions import NearestNotes
from gather_worker.steps.project_notes import ProjectNotes

PEOPLES_NOTES_SHOWN: Final = 100
"""So many notes of people stand in every prompt, however long they are; of more, the nearest may not."""


class RelatedNotes:
    """Finds them for the prompts of one process."""

    def __init__(self, task: DepartmentTask, notes: ProjectNotes, nearest: NearestNotes) -> None:
        self._task = task
        self._notes = notes
        self._nearest = nearest
        self._found: list[Excerpt] | None = None

    @property
    def known(self) -> Sequence[Excerpt]:
        """Return what the brain has found or, before it has answered, MongoDB's part."""
        if self._found is not None:
            return self._found
        return related_from_notes(self._notes.known, self._task.department.slug, self._task.previous)

    @property
    def agree_with_notes(self) -> bool:
        """Return whether the brain has found notes that MongoDB has, or none since there is none to find.

        Of the notes of earlier departments their context says whether it has them.
        """
        if self._found is None:
            return False
        if self._found:
            return {each.note_id for each in self._found} <= {note.id for note in self._notes.known}
        skipped, covered = set(self._excluded_ids()), {self._task.department.slug, *self._task.previous}
        return all(note.id in skipped or note.department in covered for note in self._notes.known)

    async def forget(self) -> None:
        """Ask for them again the next time."""
        await self._nearest.forget()
        self._found = None

    async def close(self) -> None:
        """Ask no longer."""
        await self._nearest.close()

    async def ask(self) -> Sequence[Excerpt]:
        """Return them, the nearest first; raises BrainUnusable.

        They are asked for once, or for each prompt where other departments write at the same time.
        """
        if self._found is None or self._task.is_beside_others:
            answers = await self._nearest.ask(self._excluded_ids())
            found = [node for node in _in_turn(answers) if self._counts(node)]
            self._found = [Excerpt(node.content, node.node_id) for node in found]
        return self._found

    def _excluded_ids(self) -> list[str]:
        """Return the ids of notes that the prompts show anyway, as many as the brain takes."""
        by_people = [item.id for item in self._notes.known if not item.is_automated]
        shown = by_people if len(by_people) <= PEOPLES_NOTES_SHOWN else []
        own = [item.id for item in self._notes.own if item.is_automated]
        # The brain has no nodes with ids that it does not take.
        return [each for each in (*shown, *own[::-1]) if len(each) <= NODE_ID_MAX][:EXCLUDED_IDS_MAX]

    def _counts(self, node: Duplicate) -> bool:
        """Return whether it is another department's, or nobody's, and not taken out of the film since."""
        is_excluded = node.node_id in self._notes.excluded_ids
        return not is_excluded and node.properties.get("department") != self._task.department.slug


def _in_turn(answers: Sequence[Sequence[Duplicate]]) -> Iterator[Duplicate]:
    """Yield the nearest of each answer, then the second nearest; a node that several have comes once."""
    seen = set[str]()
    for node in chain.from_iterable(zip_longest(*answers)):
        if node is not None and node.node_id not in seen:
            seen.add(node.node_id)
            yield node
