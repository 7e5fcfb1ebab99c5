"""The example project, for MongoDB and for the brain; ids are derived, so that writing twice writes once.

Its notes have the forms that the application's users leave: text, JSON as text, rich text, an upload whose
words were read out; notes of the whole film, one that is settled and one that is not canon.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.brain import NodeIn
from gather_contracts.names import OBJECT_ID_DIGITS, digest
from gather_demo.languages import Language, file_in

PROJECT: Final = Path(__file__).parent / "the_salt_road"
NODE_TYPE: Final = "GatherItem"
WRITTEN_AT: Final = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
"""When the first note was written; the others follow an hour apart, and stay so at every seeding."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")


class HandWrittenNote(_Frozen):
    """A note as it stands in the file; `key` names it within the project."""

    key: str
    department: str | None = None
    """None for a note of the whole film, as the application's users write them."""
    department_name: str | None = None
    summary: str
    content: str | dict[str, Any] = ""
    """Text, or what the application stores as JSON in a text."""
    extracted_text: str | None = None
    document_url: str | None = None
    locked: bool | None = None
    canon: bool | None = None

    @property
    def text(self) -> str:
        """Return its words, for the brain."""
        if isinstance(self.content, str):
            return self.content or self.extracted_text or ""
        return "\n".join(_strings(self.content))


class Project(_Frozen):
    """A film project with the notes that people wrote before Gather came."""

    project_id: str
    user_id: str
    notes: list[HandWrittenNote] = Field(min_length=1, max_length=50)

    def note_id(self, note: HandWrittenNote) -> str:
        """Return a note's id, the same in MongoDB and in the brain and at every seeding."""
        return digest("hand-written", self.project_id, note.key, length=OBJECT_ID_DIGITS)

    def items(self) -> list[dict[str, Any]]:
        """Return the MongoDB documents, as the application would have written them."""
        return [self._item(note, place) for place, note in enumerate(self.notes)]

    def _item(self, note: HandWrittenNote, place: int) -> dict[str, Any]:
        written_at = WRITTEN_AT + timedelta(hours=place)
        optional = {
            "extractedText": note.extracted_text, "documentUrl": note.document_url, "locked": note.locked,
            "canon": note.canon, "department": note.department, "departmentName": note.department_name,
        }  # fmt: skip
        return {
            "_id": ObjectId(self.note_id(note)),
            "projectId": self.project_id,
            "content": note.content if isinstance(note.content, str) else json.dumps(note.content),
            "summary": note.summary,
            "context": "Written by hand before the first run.",
            "createdAt": written_at,
            "createdBy": self.user_id,
            "lastUpdated": written_at,
            "isAutomated": False,
            **{name: value for name, value in optional.items() if value is not None},
        }

    def nodes(self) -> list[NodeIn]:
        """Return the brain's nodes: of the notes that belong to the film."""
        return [self._node(note) for note in self.notes if note.canon is not False]

    def _node(self, note: HandWrittenNote) -> NodeIn:
        named = {"department": note.department, "departmentName": note.department_name}
        return NodeIn(
            id=self.note_id(note),
            type=NODE_TYPE,
            content=note.text,
            project_id=self.project_id,
            properties={
                **{name: value for name, value in named.items() if value is not None},
                "summary": note.summary,
                "isAutomated": False,
            },
        )


def _strings(value: Any) -> list[str]:
    """Return the words in what is stored as JSON: of rich text its leaves, of data every text."""
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return [value["text"]]
    if isinstance(value, dict):
        return [text for key, below in value.items() if key != "type" for text in _strings(below)]
    if isinstance(value, list):
        return [text for below in value for text in _strings(below)]
    return [value] if isinstance(value, str) else []


def read_project(language: Language = Language.EN) -> Project:
    """Return the project in a language: the same film, under an id of its own."""
    text = file_in(language, PROJECT).read_text(encoding="utf-8")
    return Project.model_validate(yaml.safe_load(text))
