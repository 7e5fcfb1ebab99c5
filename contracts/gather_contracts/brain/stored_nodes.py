"""Queries and answers of reading and deleting nodes: /api/v1/nodes, /api/v1/projects/{projectId}."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from gather_contracts.brain.base import (
    DELETED_IDS_MAX,
    NODE_ID_MAX,
    NODES_PAGE_DEFAULT,
    NODES_PAGE_MAX,
    Body,
    Department,
    JsonObject,
    NodeId,
    NodeType,
    ProjectId,
    _few_fields,
)
from gather_contracts.model_bases.described import Described


class _Query(Described):
    """A query; a parameter that it does not know is refused, as in bodies."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _has_few_parameters(cls, value: Any) -> Any:
        return _few_fields(value)


class NodesQuery(_Query):
    """Which nodes of a project are listed, and from where on."""

    project_id: ProjectId = Field(alias="projectId")
    """The project that is read."""
    type: NodeType | None = None
    """Only nodes of this type."""
    department: Department | None = None
    """Only nodes that are filed under this department."""
    include: Literal["content"] | None = None
    """`content`: with the nodes' texts."""
    limit: int = Field(default=NODES_PAGE_DEFAULT, ge=1, le=NODES_PAGE_MAX)
    """The most nodes of a page; one of very long properties has fewer, and a `nextCursor` all the same."""
    cursor: str | None = Field(default=None, min_length=1, max_length=NODE_ID_MAX)
    """The `nextCursor` of the page before, as it came; without it the first page."""


class NodeQuery(_Query):
    """Which project a node is read from."""

    project_id: ProjectId = Field(alias="projectId")
    """The project that is read."""


class DeleteNodesQuery(_Query):
    """Which nodes are deleted."""

    project_id: ProjectId = Field(alias="projectId")
    """The project that the nodes are of."""
    ids: list[NodeId] = Field(min_length=1, max_length=DELETED_IDS_MAX)
    """The nodes' ids; the parameter is repeated for each.

    Also read: the name with brackets or with places in them, and ids with commas between them. A comma in an
    id is percent-encoded."""


class EraseProjectQuery(_Query):
    """The erasure of a project, confirmed."""

    confirm: ProjectId
    """The project's id once more; nothing is erased if it differs from the path's."""


class _Sparse(Body):
    """An answer some of whose fields are left out where they do not apply."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class StoredNode(_Sparse):
    """A node as the brain has it."""

    id: str
    type: str
    content_hash: str
    """SHA-256 of the content in UTF-8, 64 hexadecimal digits: the same for the same characters only."""
    content: str | SkipJsonSchema[None] = None
    """The text; left out of lists unless they are asked for it."""
    properties: JsonObject
    """As they came; `department` names the node's department."""
    revision: int
    """A write replaces the node if it brings this revision or a higher one."""
    created_at: str
    """ISO 8601 in UTC: when the id was first written."""
    updated_at: str
    """When the node was last replaced, also by the same."""


class NodesPage(_Sparse):
    """Nodes in the order of their ids, which writes between two pages do not change."""

    nodes: list[StoredNode]
    next_cursor: str | SkipJsonSchema[None] = None
    """What the next page is asked for with; left out on the last one."""


class NodesDeleted(Body):
    """What became of the ids, each counted once."""

    deleted: int
    not_found: int
    """Ids that no node of the project has; deleted before, perhaps."""


class ProjectErased(Body):
    """What was erased by this request."""

    project_id: str
    deleted: int
    """Nodes, with their vectors."""
    profiles: int
    """Departments whose profile, made from their nodes, was erased."""
    remaining: bool
    """True if time ran out before everything was erased: send the same request again."""
