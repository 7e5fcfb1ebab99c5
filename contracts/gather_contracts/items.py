"""A note that Gather writes, as the document stands in MongoDB: `aladdin-gather-{projectId}.gather`.

The form is the application's own, so that its validator, pages and filters work on our notes. What people and
other programs write has many more forms; `gather_clients.notes` reads those.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from gather_contracts.model_bases.described import Described

CONTENT_MAX: Final = 8000
SUMMARY_MAX: Final = 500
CONTEXT_MAX: Final = 2000
BASED_ON_MAX: Final = 100
"""Notes that one prompt can show in its budgets are hardly more, and a person follows no longer list."""


class _Document(Described):
    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        defer_build=True,
    )


class AutomationMetadata(_Document):
    """Where an automated item comes from."""

    task_id: str
    """The department's attempt that made it: the pod's name."""
    department: str
    """The department's slug."""
    department_name: str
    iteration: int = Field(ge=1)
    quality_score: float | None = Field(default=None, ge=0, le=100)
    """The department's score after the item's iteration; absent until that is measured."""
    based_on_nodes: list[str] = Field(default_factory=list, max_length=BASED_ON_MAX)
    """Ids of the notes that stood in the prompt that asked for the item."""
    model: str
    """The model that wrote it."""
    run: str
    """The GatherRun's name."""
    run_uid: str
    prompt: str = ""
    """The prompt that asked for it, with its version, such as "generate.v3"."""


class GatherItem(_Document):
    """One development note that Gather wrote."""

    id: str = Field(alias="_id", min_length=1, max_length=64)
    """Digits of the ObjectId, which follows from run, department, iteration and place."""
    project_id: str
    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    summary: str = Field(max_length=SUMMARY_MAX)
    context: str = Field(max_length=CONTEXT_MAX)
    created_at: datetime
    last_updated: datetime
    """Set again when the score is written, as the application does at every change."""
    created_by: str
    """The run's `userId`."""
    is_automated: Literal[True] = True
    automation_metadata: AutomationMetadata

    @property
    def department(self) -> str:
        """Return the department's slug."""
        return self.automation_metadata.department

    @model_validator(mode="before")
    @classmethod
    def _from_an_older_version(cls, data: Any) -> Any:
        """Take a note that waits in the checkpoint of an older version, where fields stood elsewhere."""
        if isinstance(data, Mapping) and isinstance(data.get("automation"), Mapping):
            return in_todays_form(data)
        return data


def in_todays_form(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document that has `automation` in it, as older versions wrote it, in today's form."""
    automation = document["automation"]
    moved = {name: document.get(name) or "" for name in ("department", "departmentName")}
    made_at = automation.get("createdAt")
    metadata = {name: value for name, value in automation.items() if name != "createdAt"} | moved
    dates = {} if made_at is None else {"createdAt": made_at, "lastUpdated": made_at}
    kept = {name: value for name, value in document.items() if name not in {"automation", *moved, "userId"}}
    return dates | {"createdBy": document.get("userId") or ""} | kept | {"automationMetadata": metadata}


def item_schema() -> dict[str, Any]:
    """Return the JSON Schema of the documents that Gather writes, as JSON shows them.

    ObjectIds are their digits and dates texts there; nothing else than what is listed is written, and a field
    without a value is absent, never null.
    """
    schema = GatherItem.model_json_schema(by_alias=True, mode="serialization")
    metadata = schema["$defs"]["AutomationMetadata"]
    for part in (schema, metadata):
        part["additionalProperties"] = False
        part["required"] = [name for name in part["properties"] if name != "qualityScore"]
        for described in part["properties"].values():
            described.pop("title", None)
            described.pop("default", None)
    score = metadata["properties"]["qualityScore"]
    number = next(form for form in score.pop("anyOf") if form["type"] == "number")
    metadata["properties"]["qualityScore"] = number | score
    schema["properties"]["_id"] = {
        "type": "string", "pattern": "^[0-9a-f]{24}$",
        "description": schema["properties"]["_id"]["description"].replace("\n", " "),
    }  # fmt: skip
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
