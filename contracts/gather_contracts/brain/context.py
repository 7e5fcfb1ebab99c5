"""Query and answer of GET /api/v1/context/department."""

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from gather_contracts.brain.base import (
    CONTEXT_DEPARTMENTS_MAX,
    CONTEXT_LIMIT_MAX,
    Body,
    Department,
    ProjectId,
    SnakeBody,
    _few_fields,
)
from gather_contracts.model_bases.described import Described


class ContextQuery(Described):
    """The query; a parameter that it does not know is refused, as in bodies."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    project_id: ProjectId = Field(alias="projectId")
    """The project that is read."""
    department: Department
    """The department that the context is for."""
    previous_departments: list[Department] = Field(
        default_factory=list, alias="previousDepartments[]", max_length=CONTEXT_DEPARTMENTS_MAX
    )
    """The earlier departments; the parameter is repeated for each.

    Also read: the name without brackets or with places in them, and names with commas between them, of
    which a name has none."""
    limit: int = Field(default=20, ge=1, le=CONTEXT_LIMIT_MAX)
    """Nodes per department."""

    @model_validator(mode="before")
    @classmethod
    def _has_few_parameters(cls, value: Any) -> Any:
        return _few_fields(value)


class TopNode(Body):
    """One of a department's nodes that matter most to the target department."""

    node_id: str
    content: str
    summary: str = ""
    relevance: float


class DepartmentContext(Body):
    """What one earlier department offers the target department."""

    node_count: int
    quality_score: float
    """Mean of the nodes' `qualityScore` properties, 0-100; 0 where no node has one."""
    top_nodes: list[TopNode]
    key_themes: list[str]


class RelevantNode(Body):
    """One of the nodes that matter most over all earlier departments."""

    node_id: str
    department: str
    content: str
    relevance_to_target: float


class ContextTiming(SnakeBody):
    """Milliseconds."""

    query_time_ms: int
    aggregation_time_ms: int
    total_time_ms: int


class ContextResponse(Body):
    """The earlier departments' context for `target_department`."""

    project_id: str
    target_department: str
    context: dict[str, DepartmentContext]
    aggregated_summary: str
    relevant_nodes: list[RelevantNode]
    total_nodes_aggregated: int
    timing: ContextTiming
