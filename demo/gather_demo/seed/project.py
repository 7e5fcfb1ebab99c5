"""The example project, for MongoDB and for the brain; ids are derived, so that writing twice writes once."""

import uuid
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.brain import NodeIn
from gather_contracts.items import GatherItem
from gather_contracts.names import ITEM_NAMESPACE

PROJECT_FILE: Final = Path(__file__).parent / "the_salt_road.yaml"
NODE_TYPE: Final = "GatherItem"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")


class HandWrittenNote(_Frozen):
    """A note as it stands in the file; `key` names it within the project."""

    key: str
    department: str
    department_name: str
    summary: str
    content: str


class Project(_Frozen):
    """A film project with the notes that people wrote before Gather came."""

    project_id: str
    user_id: str
    notes: list[HandWrittenNote] = Field(min_length=1, max_length=50)

    def note_id(self, note: HandWrittenNote) -> str:
        """Return a note's id, the same in MongoDB and in the brain and at every seeding."""
        return str(uuid.uuid5(ITEM_NAMESPACE, f"hand-written/{self.project_id}/{note.key}"))

    def items(self) -> list[dict[str, Any]]:
        """Return the MongoDB documents."""
        return [
            GatherItem(
                id=self.note_id(note),
                content=note.content,
                summary=note.summary,
                context="Written by hand before the first run.",
                project_id=self.project_id,
                department=note.department,
                department_name=note.department_name,
                user_id=self.user_id,
                is_automated=False,
            ).model_dump(by_alias=True, exclude_none=True)
            for note in self.notes
        ]

    def nodes(self) -> list[NodeIn]:
        """Return the brain's nodes."""
        return [
            NodeIn(
                id=self.note_id(note),
                type=NODE_TYPE,
                content=note.content,
                project_id=self.project_id,
                properties={
                    "department": note.department,
                    "departmentName": note.department_name,
                    "summary": note.summary,
                    "isAutomated": False,
                },
            )
            for note in self.notes
        ]


def read_project(file: Path = PROJECT_FILE) -> Project:
    """Return the project in a YAML file; raises ValidationError if it is not one."""
    return Project.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
