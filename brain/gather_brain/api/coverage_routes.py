"""POST /api/v1/analyze/coverage: how well items cover what a department is for."""

import asyncio

import numpy as np
from fastapi import APIRouter

from gather_brain.api.endpoint_dependencies import CallerDep, Stopwatch
from gather_brain.coverage.analysis import measure, plan_measurement
from gather_brain.coverage.recommendations import analysis_of, distribution_of
from gather_clients.web.json_route import JsonRoute
from gather_contracts import brain as bodies

router = APIRouter(route_class=JsonRoute)


@router.post("/analyze/coverage", summary="Analyse the coverage of a department")
async def analyze_coverage(request: bodies.CoverageRequest, caller: CallerDep) -> bodies.CoverageResponse:
    """Measure up to 100 items against the department's aspects; nothing is stored."""
    repository = await caller.open_project(request.project_id)
    await repository.require_known()
    watch = Stopwatch()
    plan = plan_measurement(
        request.department,
        request.department_description,
        [(item.id or f"item-{index}", item.content) for index, item in enumerate(request.gather_items)],
        finds_treating=request.find_treating,
    )
    rows = await caller.models.embedder.embed(plan.texts) if plan.items else np.zeros((0, 0), np.float32)
    embedding_ms = watch.lap_ms()
    # Off the loop: a hundred items take tens of milliseconds of arithmetic.
    found = await asyncio.to_thread(measure, plan, rows)
    analysis = analysis_of(found.coverage, plan.aspects, request.department, found.contradictions)
    return bodies.CoverageResponse(
        department=request.department,
        coverage_score=round(found.coverage.score, 1),
        analysis=analysis.model_copy(update={"treating": list(found.treating_ids)}),
        item_distribution=dict(distribution_of(found.coverage)),
        quality_metrics=bodies.QualityMetrics(
            depth=round(found.depth, 1),
            breadth=round(found.coverage.breadth, 1),
            coherence=round(found.coherence, 1),
            actionability=round(found.actionability, 1),
        ),
        timing=bodies.CoverageTiming(
            embedding_time_ms=embedding_ms, analysis_time_ms=watch.lap_ms(), total_time_ms=watch.total_ms()
        ),
    )
