"""POST /api/v1/analyze/coverage: how well items cover what a department is for."""

import asyncio
from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter

from gather_brain.advice import analysis_of, distribution_of
from gather_brain.api.json_route import JsonRoute
from gather_brain.api.services import CallerDep, Stopwatch
from gather_brain.aspects import Aspect, aspects_of
from gather_brain.coverage import Item, coverage_of, distinct_items, item_vectors
from gather_brain.embedding import Embedder
from gather_brain.measures import actionability_of, coherence_of, depth_of
from gather_brain.vectors import Matrix
from gather_contracts import brain as bodies

router = APIRouter(route_class=JsonRoute)


@router.post("/analyze/coverage", summary="Analyse the coverage of a department")
async def analyze_coverage(request: bodies.CoverageRequest, caller: CallerDep) -> bodies.CoverageResponse:
    """Measure up to 100 items against the department's aspects; nothing is stored."""
    repository = await caller.project(request.project_id)
    await repository.require_known()
    watch = Stopwatch()
    aspects = aspects_of(request.department, request.department_description)
    items = distinct_items(
        [(item.id or f"item-{index}", item.content) for index, item in enumerate(request.gather_items)]
    )
    facets = await _grouped(caller.models.embedder, [aspect.facets for aspect in aspects])
    sentences = await _grouped(caller.models.embedder, [item.sentences for item in items])
    embedding_ms = watch.lap_ms()
    repeated = len(request.gather_items) - len(items)
    # Off the loop: a hundred items take tens of milliseconds of arithmetic.
    score, analysis, distribution, metrics = await asyncio.to_thread(
        _measured, request.department, aspects, facets, items, sentences, repeated
    )
    return bodies.CoverageResponse(
        department=request.department,
        coverage_score=score,
        analysis=analysis,
        item_distribution=distribution,
        quality_metrics=metrics,
        timing=bodies.CoverageTiming(
            embedding_time_ms=embedding_ms, analysis_time_ms=watch.lap_ms(), total_time_ms=watch.total_ms()
        ),
    )


def _measured(  # noqa: PLR0917 - called through a thread, by position
    department: str,
    aspects: Sequence[Aspect],
    facets: Sequence[Matrix],
    items: Sequence[Item],
    sentences: Sequence[Matrix],
    repeated: int,
) -> tuple[float, bodies.CoverageAnalysis, dict[str, int], bodies.QualityMetrics]:
    coverage = coverage_of(items, sentences, [aspect.name for aspect in aspects], facets)
    vectors = item_vectors(sentences) if items else np.zeros((0, 1), np.float32)
    metrics = bodies.QualityMetrics(
        depth=round(depth_of(items), 1),
        breadth=round(coverage.breadth, 1),
        coherence=round(coherence_of(vectors, repeated), 1),
        actionability=round(actionability_of(items), 1),
    )
    analysis = analysis_of(coverage, aspects, department)
    return round(coverage.score, 1), analysis, dict(distribution_of(coverage)), metrics


async def _grouped(embedder: Embedder, groups: Sequence[Sequence[str]]) -> list[Matrix]:
    """Embed all texts at once and give each group its rows."""
    rows = await embedder.embed([text for group in groups for text in group])
    ends = np.cumsum([len(group) for group in groups])
    return np.split(rows, ends[:-1]) if groups else []
