"""A document of `gather` as exports and pages show it: what a reader sees, and where it comes from; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from bson.errors import BSONError

from gather_clients.notes.note import LONG_AGO, Note
from gather_clients.notes.note_reading import FIELDS, Unread, id_text, note_of
from gather_contracts.items import BASED_ON_MAX
from gather_contracts.rich_text import TEXT_MAX, plain_text
from gather_contracts.text_cleaning import clean

SHOWN_FIELDS: Final = (*FIELDS, "imageUrl", "documentUrl")
ADDRESS_MAX: Final = 2048
NAME_MAX: Final = 128
PAGED_BYTES_MAX: Final = 1024 * 1024
"""A larger document is not opened for a page: its rich text would hold up everybody's events."""


@dataclass(frozen=True, slots=True)
class Record:
    """One note, with what else its document says."""

    note: Note
    prompt: str = ""
    based_on: tuple[str, ...] = ()
    image_url: str = ""
    document_url: str = ""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """As it is stored."""
    is_content_omitted: bool = False
    """Only of a page: the text is in an export."""

    @property
    def by(self) -> str:
        """Return who wrote it: `gather` or `person`."""
        return "gather" if self.note.is_automated else "person"


def record_of(document: Mapping[str, Any], project_id: str) -> Record | Unread:
    """Return the document as a record, or why it is no note."""
    try:
        note = note_of(document, project_id)
        if isinstance(note, Unread):
            return note
        # Whole: a prompt is shown only their beginning.
        summary, context = (plain_text(document.get(name)) for name in ("summary", "context"))
        metadata = _mapping(document.get("automationMetadata") or document.get("automation"))
        based_on = metadata.get("basedOnNodes")
        listed = list(based_on)[:BASED_ON_MAX] if isinstance(based_on, list | tuple) else []
        return Record(
            note=_one_line_names(replace(note, summary=summary, context=context)),
            prompt=_line(metadata.get("prompt"), NAME_MAX) if note.is_automated else "",
            based_on=tuple(filter(None, map(id_text, listed))) if note.is_automated else (),
            image_url=_line(document.get("imageUrl"), ADDRESS_MAX),
            document_url=_line(document.get("documentUrl"), ADDRESS_MAX),
            document=document,
        )
    except BSONError:
        return Unread.DAMAGED


def paged_record_of(document: Mapping[str, Any], size: int, project_id: str) -> Record | Unread:
    """Return the document for a page; without its texts if it is larger than `PAGED_BYTES_MAX`."""
    if size <= PAGED_BYTES_MAX:
        return record_of(document, project_id)
    texts = ("content", "extractedText", "context", "summary")
    try:
        kept = {name: value for name, value in document.items() if name not in texts}
    except BSONError:
        return Unread.DAMAGED
    record = record_of(kept | {"content": "-"}, project_id)
    if isinstance(record, Unread):
        return record
    return replace(record, note=replace(record.note, content=""), is_content_omitted=True)


def as_json(record: Record) -> dict[str, Any]:
    """Return the record as pages and JSON Lines give it."""
    note, origin = record.note, record.note.origin
    return {
        "id": note.id,
        "department": note.department,
        "department_name": note.department_name,
        "by": record.by,
        "content": note.content,
        "summary": note.summary,
        "context": note.context,
        "locked": note.is_locked,
        "created_at": moment(note.created_at),
        "updated_at": moment(note.changed_at),
        "created_by": note.user_id,
        "image_url": record.image_url,
        "document_url": record.document_url,
        "provenance": None
        if origin is None
        else {
            "run": origin.run,
            "run_uid": origin.run_uid,
            "task_id": origin.task_id,
            "iteration": origin.iteration,
            "model": origin.model,
            "prompt": record.prompt,
            "quality_score": origin.quality_score,
            "based_on": list(record.based_on),
        },
        **({"content_omitted": True} if record.is_content_omitted else {}),
    }


def moment(when: datetime | None) -> str | None:
    """Return a time as events have it (UTC, RFC 3339), None where it is not known."""
    if when is None or when == LONG_AGO:
        return None
    try:
        return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError):
        return None


def moment_of_ms(at_ms: int) -> str | None:
    """Return a Unix time in milliseconds as events have it, None for 0 and for what no calendar holds."""
    try:
        return moment(datetime.fromtimestamp(at_ms / 1000, UTC)) if at_ms else None
    except (OverflowError, ValueError, OSError):
        return None


def is_cut(text: str) -> bool:
    """Return whether a text was longer than is read."""
    return len(text) >= TEXT_MAX


def _one_line_names(note: Note) -> Note:
    def line(text: str) -> str:
        return _line(text, NAME_MAX)

    origin = note.origin
    if origin is not None:
        origin = replace(
            origin,
            run=line(origin.run),
            run_uid=line(origin.run_uid),
            task_id=line(origin.task_id),
            model=line(origin.model),
        )
    return replace(
        note,
        department=line(note.department),
        department_name=line(note.department_name),
        user_id=line(note.user_id),
        origin=origin,
    )


def _line(value: Any, length: int) -> str:
    return " ".join(clean(value[:length]).split()) if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
