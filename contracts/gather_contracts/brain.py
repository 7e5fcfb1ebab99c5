"""Bodies of the brain API, as its requirements name them; the server and the client share these models.

`similarity` and `threshold` are raw cosine in [0, 1], negative cosine being 0. Neo4j's own score is
(1 + cosine) / 2 and never leaves the brain's repository.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from gather_contracts.names import OBJECT_ID_PATTERN

NODES_PER_BATCH_MAX = 50
CONTENT_MAX = 8000
COVERAGE_ITEMS_MAX = 100
CONTEXT_DEPARTMENTS_MAX = 32
EXCLUDED_IDS_MAX = 200
PROPERTIES_MAX = 32

DUPLICATE_THRESHOLD = 0.90
"""Raw cosine from which texts count as near duplicates unless a caller says otherwise: the policy score."""

SEARCH_CONTENTS_MAX = 50
SEARCH_LIMIT_MAX = 50
CONTEXT_LIMIT_MAX = 100
DEPARTMENT_MAX = 63
NODE_ID_MAX = 64
FIELDS_MAX: Final = 16
"""More fields than any body has. Each unknown one is an error of its own, and two MiB hold 200,000."""


def _few_fields(value: Any) -> Any:
    """Refuse an object at once that has more fields than are looked at one by one."""
    return _not_more_than(FIELDS_MAX, value)


def _few_properties(value: Any) -> Any:
    return _not_more_than(PROPERTIES_MAX, value)


def _not_more_than(most: int, value: Any) -> Any:
    if isinstance(value, dict) and len(value) > most:
        raise PydanticCustomError("too_many", "Object should have at most {most} fields", {"most": most})
    return value


ProjectId = Annotated[
    str, StringConstraints(pattern=OBJECT_ID_PATTERN, min_length=24, max_length=24, to_lower=True)
]
"""Kept in lower case, so that one project has one name however its hexadecimal digits are written."""
Department = Annotated[str, Field(min_length=1, max_length=DEPARTMENT_MAX)]
NodeId = Annotated[str, Field(min_length=1, max_length=NODE_ID_MAX)]
NodeType = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
PropertyName = Annotated[str, Field(max_length=64)]
PropertyText = Annotated[str, Field(max_length=CONTENT_MAX)]
PropertyValue = PropertyText | bool | int | FiniteFloat | None
DEPARTMENT_PROPERTY: Final[dict[str, Any]] = {
    "properties": {
        "department": {
            "type": "string",
            "minLength": 1,
            "maxLength": DEPARTMENT_MAX,
            "description": "Files the node under its department.",
        }
    }
}
"""What `NodeIn` checks beyond the type of its properties, for the schema to say too."""
Properties = Annotated[
    dict[PropertyName, PropertyValue],
    Field(max_length=PROPERTIES_MAX, json_schema_extra=DEPARTMENT_PROPERTY),
    BeforeValidator(_few_properties),
]


class Body(BaseModel):
    """A body whose JSON names are camelCase."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


class RequestBody(Body):
    """A body that a caller sends; a field that it does not know is refused, since a typo would be ignored.

    Types are strict: the text "5" is no number, as the published schema says.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, value: Any) -> Any:
        return _few_fields(value)


class SnakeBody(BaseModel):
    """A body whose JSON names stand as they are (the requirements mix both)."""

    model_config = ConfigDict(
        frozen=True, use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )


# --- POST /api/v1/nodes/batch


class NodeIn(RequestBody):
    """A node to write; `id` makes the write idempotent: the same id in the same project is the same node.

    A node is replaced by one with the same or a higher `revision`, and left as it is by one with a lower:
    what a writer sends late, after others knew more, changes nothing.
    """

    id: NodeId | None = None
    """The caller's own name for the node, once in a batch; without it the brain makes one."""
    type: NodeType
    """Such as GatherItem; searches look at one type."""
    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    """The text that is embedded."""
    project_id: ProjectId
    """The project, 24 hexadecimal digits; the same for all nodes of a batch."""
    properties: Properties = Field(default_factory=dict)
    """Texts, numbers, truth values and null, given back as they came; `department` files the node."""
    revision: int = Field(default=0, ge=0, le=2**31 - 1)
    """A lower one never replaces a higher one."""

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
    properties: dict[str, Any]
    embedding: EmbeddingInfo
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


# --- POST /api/v1/search/duplicates


class DuplicatesFilter(RequestBody):
    """Where to look for near neighbours, and how near they must be."""

    project_id: ProjectId
    """The project that is searched."""
    threshold: float = Field(default=DUPLICATE_THRESHOLD, ge=0, le=1)
    """The least raw cosine of a neighbour."""
    limit: int = Field(default=10, ge=1, le=SEARCH_LIMIT_MAX)
    """Neighbours for each text."""
    type: str = Field(default="GatherItem", min_length=1, max_length=64)
    """The type of nodes that are looked at."""
    department: Department | None = None
    """None: all departments."""
    exclude_node_ids: list[NodeId] = Field(default_factory=list, max_length=EXCLUDED_IDS_MAX)
    """Nodes that are no neighbours, such as the one that is compared."""


class DuplicatesRequest(DuplicatesFilter):
    """A text to find near neighbours of."""

    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    """The text that is compared."""


class DuplicatesBatchRequest(DuplicatesFilter):
    """1 to 50 texts to find near neighbours of; the same filter goes for all."""

    contents: list[Annotated[str, Field(min_length=1, max_length=CONTENT_MAX)]] = Field(
        min_length=1, max_length=SEARCH_CONTENTS_MAX
    )
    """The texts that are compared."""


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


class DuplicatesResult(SnakeBody):
    """The neighbours of one of the texts of a batch."""

    duplicates: list[Duplicate]


class DuplicatesBatchResponse(SnakeBody):
    """One result for each text, in the order of the request."""

    results: list[DuplicatesResult]
    query_embedding_time_ms: int
    search_time_ms: int
    total_time_ms: int


# --- GET /api/v1/context/department


class ContextQuery(BaseModel):
    """The query; a parameter that it does not know is refused, as in bodies."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True
    )

    project_id: ProjectId = Field(alias="projectId")
    """The project that is read."""
    department: Department
    """The department that the context is for."""
    previous_departments: list[Department] = Field(
        default_factory=list, alias="previousDepartments[]", max_length=CONTEXT_DEPARTMENTS_MAX
    )
    """The earlier departments; the parameter is repeated for each."""
    previous_departments_plain: list[Department] = Field(
        default_factory=list, alias="previousDepartments", max_length=CONTEXT_DEPARTMENTS_MAX
    )
    """The same for clients that write lists without brackets; both count."""
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


# --- POST /api/v1/analyze/coverage


class CoverageItem(RequestBody):
    """An item to analyse; without `id` its place in the list names it."""

    id: NodeId | None = None
    """Names the item in the answer."""
    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    summary: str = Field(default="", max_length=CONTENT_MAX)
    """Not measured: an item counts for what its content says."""


class CoverageRequest(RequestBody):
    """A department's items and its purpose."""

    project_id: ProjectId
    """A project with nodes; the items themselves need not be among them."""
    department: Department
    gather_items: list[CoverageItem] = Field(max_length=COVERAGE_ITEMS_MAX)
    department_description: str = Field(default="", max_length=8192)
    """The department's purpose, which names its aspects; the usual film departments are known without."""


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


class ErrorCode(StrEnum):
    """The codes of the standard error body."""

    VALIDATION_FAILED = "validation_failed"
    BATCH_VALIDATION_FAILED = "batch_validation_failed"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    INTERNAL_ERROR = "internal_error"
    SERVICE_UNAVAILABLE = "service_unavailable"


class ErrorBody(BaseModel):
    """The standard error body."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    error: str
    """One of the documented codes; a later version of the API may add others."""
    message: str
    """For people."""
    details: dict[str, Any] | None = None
    """Each field and its reason; for `batch_validation_failed` the `invalid_nodes`."""


class RateLimitBody(ErrorBody):
    """The body of a 429."""

    retry_after: int
    """Seconds until the same request is within the limit again; the header Retry-After says the same."""
    limit: int
    """Requests per window."""
    window: str
    """Such as "1 minute"."""


# --- operation


class ReadinessBody(SnakeBody):
    """What /readyz says, with 200 when ready and 503 otherwise."""

    model_config = ConfigDict(frozen=True, extra="allow")

    status: str
    model: str
    neo4j: str
