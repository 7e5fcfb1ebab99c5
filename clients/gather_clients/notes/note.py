"""A note as Gather knows it, by any author and in any stored form."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gather_contracts.items import GatherItem

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Origin:
    """The run and the iteration that an automated note comes from; what is not known is empty."""

    run: str = ""
    run_uid: str = ""
    task_id: str = ""
    iteration: int = 0
    model: str = ""
    quality_score: float | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """One note, as plain text."""

    id: str
    content: str
    project_id: str
    department: str = ""
    """Its slug; empty for a note of the whole film, as people write them."""
    summary: str = ""
    context: str = ""
    department_name: str = ""
    user_id: str = ""
    is_automated: bool = False
    is_locked: bool = False
    """A person has settled it: it is shown to the model as decided."""
    created_at: datetime = LONG_AGO
    changed_at: datetime | None = None
    """When somebody changed it last; None if the document does not say."""
    origin: Origin | None = None

    @property
    def size(self) -> int:
        """Return how many characters it holds."""
        return len(self.content) + len(self.summary) + len(self.context)


def note_of_item(item: GatherItem) -> Note:
    """Return a note that this version of Gather wrote."""
    made = item.automation_metadata
    return Note(
        id=item.id,
        content=item.content,
        project_id=item.project_id,
        department=made.department,
        summary=item.summary,
        context=item.context,
        department_name=made.department_name,
        user_id=item.created_by,
        is_automated=True,
        created_at=item.created_at,
        changed_at=item.last_updated,
        origin=Origin(
            made.run, made.run_uid, made.task_id, made.iteration, made.model, made.quality_score
        ),
    )  # fmt: skip
