"""Bodies of POST /api/v1/analyze/coverage."""

from pydantic import Field

from gather_contracts.brain.base import (
    CONTENT_MAX,
    COVERAGE_ITEMS_MAX,
    Body,
    Content,
    Department,
    NodeId,
    ProjectId,
    RequestBody,
    SnakeBody,
)


class CoverageItem(RequestBody):
    """An item to analyse; without `id` its place in the list names it."""

    id: NodeId | None = None
    """Names the item in the answer."""
    content: Content
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
    find_treating: bool = False
    """Also find the items that treat this department beyond doubt, for items that were written for none."""


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
    items: list[str] = Field(default_factory=list)
    """The items that treat it weakly, the clearest first."""


class Contradiction(Body):
    """Two items that contradict each other in so many words."""

    items: list[str]
    """The two."""
    sentences: list[str]
    """What each of them says, shortened."""


class CoverageAnalysis(Body):
    """What is covered, what is missing, what to do next."""

    covered_aspects: list[CoveredAspect]
    gaps: list[CoverageGap]
    contradictions: list[Contradiction] = Field(default_factory=list)
    """The surest first, 20 at most."""
    contradiction_count: int = 0
    """How many there are, those that are not listed included."""
    aspects_left_out: int = 0
    """Aspects that the description names and that are not measured: 24 are at most, its first."""
    sentences_left_out: int = 0
    """Sentences of the items that are not measured: 12 of an item are at most, its first."""
    recommendations: list[str]
    treating: list[str] = Field(default_factory=list)
    """The items that treat this department beyond doubt, the nearest first; empty unless asked for."""


class QualityMetrics(Body):
    """The brain's own measures, each 0-100; null for what says nothing of items in their language."""

    depth: float | None
    breadth: float
    coherence: float | None
    actionability: float | None
    unmeasured: dict[str, str] = Field(default_factory=dict)
    """Why, by the name of each measure that is null."""


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
