"""A gather item as it stands in MongoDB: `aladdin-gather-{projectId}.gather`."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

CONTENT_MAX = 8000
SUMMARY_MAX = 500
CONTEXT_MAX = 2000


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Automation(_Document):
    """Where an automated item comes from."""

    run: str
    """The GatherRun's name."""
    run_uid: str
    task_id: str
    """The department's attempt that made it: the pod's name."""
    iteration: int = Field(ge=1)
    model: str
    prompt: str = ""
    """The prompt that asked for it, with its version, such as "generate.v2"."""
    quality_score: float | None = Field(default=None, ge=0, le=100)
    """The department's score after the item's iteration; None until that is measured."""
    created_at: datetime


class GatherItem(_Document):
    """One development note; `automation` is None for a note that a person wrote."""

    id: str = Field(alias="_id")
    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    summary: str = Field(default="", max_length=SUMMARY_MAX)
    context: str = Field(default="", max_length=CONTEXT_MAX)
    project_id: str
    department: str
    department_name: str = ""
    user_id: str = ""
    is_automated: bool = False
    automation: Automation | None = None
