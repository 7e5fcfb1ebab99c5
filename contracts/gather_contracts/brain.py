"""Bodies of the brain API, as its requirements name them; the server and the client share these models.

`similarity` and `threshold` are raw cosine in [0, 1], negative cosine being 0. Neo4j's own score is
(1 + cosine) / 2 and never leaves the brain's repository.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.names import OBJECT_ID_PATTERN

NODES_PER_BATCH_MAX = 50
CONTENT_MAX = 8000
COVERAGE_ITEMS_MAX = 100
CONTEXT_DEPARTMENTS_MAX = 32
EXCLUDED_IDS_MAX = 200
PROPERTIES_MAX = 32

ProjectId = Annotated[str, Field(pattern=OBJECT_ID_PATTERN)]
Department = Annotated[str, Field(min_length=1, max_length=63)]
NodeId = Annotated[str, Field(min_length=1, max_length=64)]
PropertyValue = str | int | float | bool | None


class Body(BaseModel):
    """A body whose JSON names are camelCase; unknown fields are refused in requests by their own models."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class SnakeBody(BaseModel):
    """A body whose JSON names stand as they are (the requirements mix both)."""

    model_config = ConfigDict(frozen=True)


# --- POST /api/v1/nodes/batch


class NodeIn(Body):
    """A node to write; `id` is ours and makes the write idempotent."""

    id: NodeId | None = None
    type: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    project_id: ProjectId
    properties: dict[str, PropertyValue] = Field(default_factory=dict, max_length=PROPERTIES_MAX)


class BatchRequest(Body):
    """1 to 50 nodes."""

    nodes: list[NodeIn] = Field(min_length=1, max_length=NODES_PER_BATCH_MAX)


class EmbeddingInfo(Body):
    """What a node was embedded with."""

    dimensions: int
    model: str


class NodeOut(Body):
    """A written node."""

    id: str
    type: str
    properties: dict[str, Any]
    embedding: EmbeddingInfo


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


# --- POST /api/v1/search/duplicates


class DuplicatesRequest(Body):
    """A text to find near neighbours of."""

    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    project_id: ProjectId
    threshold: float = Field(default=0.90, ge=0, le=1)
    limit: int = Field(default=10, ge=1, le=50)
    type: str = Field(default="GatherItem", min_length=1, max_length=64)
    department: Department | None = None
    exclude_node_ids: list[NodeId] = Field(default_factory=list, max_length=EXCLUDED_IDS_MAX)


class Duplicate(Body):
    """A neighbour at or above the threshold."""

    node_id: str
    similarity: float
    content: str
    properties: dict[str, Any]


class DuplicatesResponse(SnakeBody):
    """Neighbours, the most similar first."""

    duplicates: list[Duplicate]
    query_embedding_time_ms: int
    search_time_ms: int
    total_time_ms: int


# --- GET /api/v1/context/department


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


# --- POST /api/v1/analyze/coverage


class CoverageItem(Body):
    """An item to analyse; without `id` its place in the list names it."""

    id: NodeId | None = None
    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    summary: str = Field(default="", max_length=CONTENT_MAX)


class CoverageRequest(Body):
    """A department's items and its purpose."""

    project_id: ProjectId
    department: Department
    gather_items: list[CoverageItem] = Field(max_length=COVERAGE_ITEMS_MAX)
    department_description: str = Field(default="", max_length=8192)


class CoveredAspect(Body):
    """An aspect that the items treat; `coverage` is 0-100."""

    aspect: str
    coverage: float
    item_count: int
    quality: str
    items: list[str]


class CoverageGap(Body):
    """An aspect that the items miss or treat weakly."""

    aspect: str
    coverage: float
    item_count: int
    severity: str
    suggestion: str


class CoverageAnalysis(Body):
    """What is covered, what is missing, what to do next."""

    covered_aspects: list[CoveredAspect]
    gaps: list[CoverageGap]
    recommendations: list[str]


class QualityMetrics(Body):
    """The brain's own measures, each 0-100."""

    depth: float
    breadth: float
    coherence: float
    actionability: float


class CoverageTiming(SnakeBody):
    """Milliseconds."""

    embedding_time_ms: int
    analysis_time_ms: int
    total_time_ms: int


class CoverageResponse(Body):
    """How well the items cover the department."""

    department: str
    coverage_score: float
    analysis: CoverageAnalysis
    item_distribution: dict[str, int]
    quality_metrics: QualityMetrics
    timing: CoverageTiming


# --- errors


class ErrorBody(BaseModel):
    """The standard error body; a 429 adds `retry_after` (s), `limit` and `window`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    error: str
    message: str
    details: dict[str, Any] | None = None
