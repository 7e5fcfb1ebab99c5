"""A note as a node of the brain: what it says there, and which of two writes of it is the later one; pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gather_clients.notes.note import Note
from gather_contracts import brain as bodies
from gather_contracts.text import content_hash

NODE_TYPE: Final = "GatherItem"
REVISIONS_SINCE: Final = datetime(2020, 1, 1, tzinfo=UTC)
REVISION_MAX: Final = 2**31 - 1
"""As high as the brain takes; two a second reach it in 2054."""


def node_of(note: Note) -> bodies.NodeIn:
    """Return the note as a node, under the same id and with the properties that the requirements name.

    A note of the whole film has no department; of a long one the brain is given the beginning.
    """
    return bodies.NodeIn(
        id=note.id,
        type=NODE_TYPE,
        content=_content(note),
        project_id=note.project_id,
        properties=_properties(note),
        revision=revision_of(note),
    )


def is_node_of(note: Note, content_sha256: str, properties: Mapping[str, Any]) -> bool:
    """Return whether a node of this content and these properties says what the note says, without making
    the note's own: 500 checked bodies are 15 ms of a worker's start.
    """
    return properties == _properties(note) and content_sha256 == content_hash(_content(note))


def _content(note: Note) -> str:
    return note.content[: bodies.CONTENT_MAX]


def _properties(note: Note) -> dict[str, bodies.PropertyValue]:
    origin = note.origin
    properties: dict[str, bodies.PropertyValue] = {
        "departmentName": note.department_name,
        "isAutomated": note.is_automated,
        "summary": note.summary,
        "context": note.context,
        "userId": note.user_id,
    }
    if note.department:
        properties["department"] = note.department
    if origin is not None:
        properties |= {
            "iteration": origin.iteration,
            "model": origin.model,
            "taskId": origin.task_id,
            "run": origin.run,
        }
        if origin.quality_score is not None:
            properties["qualityScore"] = origin.quality_score
    return properties


def revision_of(note: Note) -> int:
    """Return the node's revision: what MongoDB's document says of its age, so that the later text stays.

    Whoever read the document before an edit brings a lower revision than whoever read it afterwards, however
    late its write arrives. Within a second a score goes before none. A document that does not say when it was
    changed is as old as can be.
    """
    is_scored = note.origin is not None and note.origin.quality_score is not None
    age_s = 0 if note.changed_at is None else int((note.changed_at - REVISIONS_SINCE).total_seconds())
    return min(2 * max(0, age_s) + int(is_scored), REVISION_MAX)


def revision_over(own: int, listed: int) -> int:
    """Return the revision with which a write of revision `own` surely replaces a node of revision `listed`.

    At the highest there is an equal one does, too.
    """
    return min(max(own, listed + 1), REVISION_MAX)
