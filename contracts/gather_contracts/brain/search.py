"""Bodies of POST /api/v1/search/duplicates, /duplicates/batch and /similarity."""

from pydantic import Field

from gather_contracts.brain.base import (
    DUPLICATE_THRESHOLD,
    EXCLUDED_IDS_MAX,
    SEARCH_CONTENTS_MAX,
    SEARCH_LIMIT_MAX,
    SIMILARITY_PAIRS_MAX,
    Body,
    Content,
    Department,
    JsonObject,
    NodeId,
    ProjectId,
    RequestBody,
    SnakeBody,
)


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

    content: Content
    """The text that is compared."""


class DuplicatesBatchRequest(DuplicatesFilter):
    """1 to 50 texts to find near neighbours of; the same filter goes for all."""

    contents: list[Content] = Field(min_length=1, max_length=SEARCH_CONTENTS_MAX)
    """The texts that are compared."""


class Duplicate(Body):
    """A neighbour at or above the threshold."""

    node_id: str
    similarity: float
    content: str
    properties: JsonObject


class DuplicatesResponse(SnakeBody):
    """Neighbours, the most similar first."""

    duplicates: list[Duplicate]
    readable: bool = True
    """False: the model was not made for the text's language, or knows few of its words; so characters count
    in each `similarity` too."""
    query_embedding_time_ms: int
    search_time_ms: int
    total_time_ms: int


class DuplicatesResult(SnakeBody):
    """The neighbours of one of the texts of a batch."""

    duplicates: list[Duplicate]
    readable: bool = True
    """As of a single search."""


class DuplicatesBatchResponse(SnakeBody):
    """One result for each text, in the order of the request."""

    results: list[DuplicatesResult]
    query_embedding_time_ms: int
    search_time_ms: int
    total_time_ms: int


class SimilarityPair(RequestBody):
    """Two texts."""

    a: Content
    b: Content


class SimilarityRequest(RequestBody):
    """1 to 50 pairs of texts to compare with each other."""

    project_id: ProjectId
    """The project whose account is charged; it may be empty, since nothing of it is read."""
    pairs: list[SimilarityPair] = Field(min_length=1, max_length=SIMILARITY_PAIRS_MAX)
    """The texts that are compared."""


class SimilarityResponse(SnakeBody):
    """How near the texts of each pair are, in the order of the request."""

    similarities: list[float]
    """Raw cosine, 0 to 1; 1 for the same text alone, but for case, spacing and sentence punctuation."""
    readable: list[bool] = Field(default_factory=list)
    """For each pair, whether the model can read both of its texts; where not, characters count too."""
    model: str
    """The embedding model, as it stands on nodes."""
    total_time_ms: int
