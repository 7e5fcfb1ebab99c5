"""A document of the collection `gather` made into a note, whoever wrote it, or the reason why it is none."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from bson import ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from gather_clients.notes.note import LONG_AGO, Note, Origin
from gather_contracts.items import CONTEXT_MAX, SUMMARY_MAX, in_todays_form
from gather_contracts.names import OBJECT_ID_DIGITS
from gather_contracts.rich_text import plain_text
from gather_contracts.text import is_blank

ID_MAX: Final = 64
"""As long as the brain takes ids."""
SLUG_MAX: Final = 63
NAME_MAX: Final = 128
FIELDS: Final = (
    "projectId", "content", "summary", "context", "extractedText", "createdAt", "createdBy", "userId",
    "isAutomated", "automationMetadata", "automation", "department", "departmentName", "locked", "canon",
    "lastUpdated",
)  # fmt: skip
"""What is read; documents of other programs may hold anything else, of any size."""
RAW: Final[CodecOptions[RawBSONDocument]] = CodecOptions(
    document_class=RawBSONDocument,
    tz_aware=True,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""Opened field by field, so that one damaged document does not cost the batch that it came with."""
_NUMBER: Final[Mapping[str, Any]] = {
    "$cond": [
        {"$eq": [{"$type": "$_id"}, "double"]},
        {"$convert": {"input": "$_id", "to": "long", "onError": None}},
        "$_id",
    ]
}
ID_TEXT: Final[Mapping[str, Any]] = {"$convert": {"input": _NUMBER, "to": "string", "onError": None}}
"""In an aggregation, the same text that `id_text` makes; of 1.5, which has none, both differ."""
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")
_REMEMBERED: Final = 8192
"""A worker looks after each step whether its notes are still there; their ids stay the same."""


class Unread(StrEnum):
    """Why a document is no note."""

    NO_TEXT = "no text"
    """A picture that nobody has described, or an empty note."""
    NOT_CANON = "not canon"
    OTHER_PROJECT = "of another project"
    BAD_ID = "an unusable id"
    """Too long for the brain, or neither ObjectId nor text nor whole number."""
    DAMAGED = "damaged"
    TOO_LARGE = "too large"


def note_of(document: Mapping[str, Any], project_id: str) -> Note | Unread:
    """Return the document as a note of the project; a person's note may have any form."""
    document = _opened(document)
    if document.get("canon") is False:
        return Unread.NOT_CANON
    named = str(document.get("projectId") or project_id).lower()
    if len(named) == OBJECT_ID_DIGITS and named != project_id.lower():
        return Unread.OTHER_PROJECT
    note_id = id_text(document.get("_id"))
    if not note_id:
        return Unread.BAD_ID
    if isinstance(document.get("automation"), Mapping) and "automationMetadata" not in document:
        document = in_todays_form(document)
    summary, context = plain_text(document.get("summary")), plain_text(document.get("context"))
    content = _content(document) or summary or context
    if is_blank(content):
        return Unread.NO_TEXT
    origin = document.get("automationMetadata")
    metadata = _opened(origin) if isinstance(origin, Mapping) else {}
    slug, name = (metadata.get(key) or document.get(key) for key in ("department", "departmentName"))
    is_automated = document.get("isAutomated") is True
    return Note(
        id=note_id,
        content=content,
        project_id=project_id,
        department=slug if isinstance(slug, str) and len(slug) <= SLUG_MAX else "",
        summary=summary[:SUMMARY_MAX],
        context=context[:CONTEXT_MAX],
        department_name=_text(name, NAME_MAX),
        user_id=_text(document.get("createdBy") or document.get("userId"), NAME_MAX),
        is_automated=is_automated,
        is_locked=document.get("locked") is True,
        created_at=_created_at(document),
        changed_at=_date(document.get("lastUpdated")),
        origin=_origin(metadata) if is_automated and metadata else None,
    )


def _opened(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return its fields; a raw document looks each one up through several calls, half of the time of reading.

    Raises BSONError for a damaged one.
    """
    return dict(document.items())


def id_text(value: Any) -> str:
    """Return a document's id as the brain and prompts name it; "" if it is too long or of another kind.

    ObjectIds, texts and whole numbers, which MongoDB keeps as int, long or double: 1 and 1.0 are the same id.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, ObjectId | str | int) or not _is_stored(value):
        return ""
    text = str(value)
    return text if 0 < len(text) <= ID_MAX else ""


def id_of(text: str) -> ObjectId | str:
    """Return the `_id` of a note that Gather wrote: an ObjectId, or a text from an older version."""
    return ObjectId(text) if len(text) == OBJECT_ID_DIGITS and ObjectId.is_valid(text) else text


def ids_of(text: str) -> list[Any]:
    """Return every `_id` that `text` is the name of, for queries: programs use more than one type."""
    return list(_forms(text))


@lru_cache(maxsize=_REMEMBERED)
def _forms(text: str) -> tuple[Any, ...]:
    found: list[Any] = [text]
    if len(text) == OBJECT_ID_DIGITS and ObjectId.is_valid(text):
        found.append(ObjectId(text))
    if _WHOLE_NUMBER.fullmatch(text):
        found.append(int(text))
    return tuple(each for each in found if id_text(each) == text)


def _is_stored(value: Any) -> bool:
    """Return whether a whole number has the 64 bits that MongoDB has."""
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _content(document: Mapping[str, Any]) -> str:
    """Return what the note says: its text, and what was read out of an uploaded document or picture."""
    written, extracted = plain_text(document.get("content")), plain_text(document.get("extractedText"))
    return written if extracted in written else f"{written}\n{extracted}".strip()


def _created_at(document: Mapping[str, Any]) -> datetime:
    """Return when it was made: as it says, else as its ObjectId does, if that is not one of ours."""
    if said := _date(document.get("createdAt")):
        return said
    made = document.get("_id")
    if isinstance(made, ObjectId) and document.get("isAutomated") is not True:
        return made.generation_time
    return LONG_AGO


def _date(said: Any) -> datetime | None:
    if isinstance(said, str):
        try:
            said = datetime.fromisoformat(said)
        except ValueError:
            return None
    if isinstance(said, datetime):
        return said if said.tzinfo else said.replace(tzinfo=UTC)
    return None


def _origin(metadata: Mapping[str, Any]) -> Origin:
    score = _number(metadata.get("qualityScore"))
    return Origin(
        run=_text(metadata.get("run"), NAME_MAX),
        run_uid=_text(metadata.get("runUid"), NAME_MAX),
        task_id=_text(metadata.get("taskId"), NAME_MAX),
        iteration=int(_number(metadata.get("iteration")) or 0),
        model=_text(metadata.get("model"), NAME_MAX),
        quality_score=score,
    )


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**31
    return float(value) if is_number else None


def _text(value: Any, length: int) -> str:
    return value[:length] if isinstance(value, str) else ""
