"""Query and answer of GET /api/v1/limits."""

from datetime import datetime

from pydantic import ConfigDict, Field

from gather_contracts.brain.base import Body, ProjectId
from gather_contracts.model_bases.described import Described


class LimitsQuery(Described):
    """Whose limits are read; a parameter that it does not know is refused, as in bodies."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    project_id: ProjectId = Field(alias="projectId")
    """The project that the limits are for; it may be empty."""


class LimitUse(Body):
    """One limit of the key for the project, and what of it is used; reading it uses nothing of it."""

    name: str
    endpoints: list[str]
    """Method and path of those that count in it together."""
    per_minute: int
    burst: int
    available: int
    """Requests that would pass at once, now."""
    remaining: int
    """What is left of the minute's limit; at 0 the burst above it is being used."""
    resets_at: datetime
    """When the whole limit is there again."""


class LimitsResponse(Body):
    """The limits of the key that asks, for one project."""

    project_id: str
    limits: list[LimitUse]
