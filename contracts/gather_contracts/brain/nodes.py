"""Bodies of writing nodes: POST /api/v1/nodes/batch."""

from typing import Self

from pydantic import Field, model_validator

from gather_contracts.brain.base import (
    DEPARTMENT_MAX,
    NODES_PER_BATCH_MAX,
    Body,
    Content,
    JsonObject,
    NodeId,
    NodeProperties,
    NodeType,
    ProjectId,
    RequestBody,
    SnakeBody,
)


class NodeIn(RequestBody):
    """A node to write; `id` makes the write idempotent: the same id in the same project is the same node.

    A node with the same or a higher `revision` replaces all of it: type, content, hash, vector, properties.
    One with a lower revision leaves it as it is: what a writer sends late, after others knew more, changes
    nothing.
    """

    id: NodeId | None = None
    """The caller's own name for the node, once in a batch; without it the brain makes one."""
    type: NodeType
    """Such as GatherItem; searches look at one type."""
    content: Content
    """The text that is embedded."""
    project_id: ProjectId
    """The project, 24 hexadecimal digits; the same for all nodes of a batch."""
    properties: NodeProperties = Field(default_factory=dict)
    """Texts, numbers, truth values, null and lists of texts, together as long as one; given back as sent.

    `department` files the node."""
    revision: int = Field(default=0, ge=0, le=2**31 - 1)
    """A lower one never replaces a higher one; to replace surely, send one more than the node has."""

    @model_validator(mode="after")
    def _department_is_a_slug(self) -> Self:
        department = self.properties.get("department", "-")
        if not isinstance(department, str) or not 0 < len(department) <= DEPARTMENT_MAX:
            raise ValueError(f"properties.department must be a text of 1 to {DEPARTMENT_MAX} characters")
        return self


class BatchRequest(RequestBody):
    """1 to 50 nodes of one project."""

    nodes: list[NodeIn] = Field(min_length=1, max_length=NODES_PER_BATCH_MAX)


class EmbeddingInfo(Body):
    """What a node was embedded with."""

    dimensions: int
    model: str
    readable: bool = True
    """False: the model was not made for the text's language, or knows few of its words. Then its characters
    count in every similarity too, and coverage says little of it."""


class DuplicateOf(Body):
    """An earlier node of the same project and type that says the same; the same text has `similarity` 1."""

    node_id: str
    similarity: float


class NodeOut(Body):
    """A written node; `duplicate_of` is the nearest earlier node at `DUPLICATE_THRESHOLD` or above, if any.

    Nothing is dropped: a duplicate is written all the same. Of two nodes the later names the earlier, never
    the other way round: in one batch by their places, between batches by which was written first.
    """

    id: str
    type: str
    properties: JsonObject
    embedding: EmbeddingInfo
    revision: int = 0
    """What the node has now; more than was sent if another writer knew more, and then nothing was changed."""
    applied: bool = True
    """Whether the write replaced the node; if not, `type` and `properties` are those that it keeps."""
    duplicate_of: DuplicateOf | None = None


class BatchTiming(SnakeBody):
    """Milliseconds."""

    embedding_time_ms: int
    neo4j_write_time_ms: int
    total_time_ms: int


class BatchResponse(Body):
    """The nodes in the order of the request; `created` counts those that were not there before."""

    success: bool = True
    created: int
    node_ids: list[str]
    nodes: list[NodeOut]
    timing: BatchTiming
