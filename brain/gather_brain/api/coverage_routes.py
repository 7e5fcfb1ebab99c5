"""POST /api/v1/analyze/coverage: how well items cover what a department is for."""

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
from fastapi import APIRouter

from gather_brain.api.endpoint_dependencies import CallerDep, Stopwatch
from gather_brain.coverage.analysis import measure, plan_measurement, read_ahead
from gather_brain.coverage.recommendations import analysis_of, distribution_of, metrics_of
from gather_brain.errors import ValidationFailedError
from gather_clients.web.error_bodies import PLACES_MAX
from gather_clients.web.json_route import JsonRoute
from gather_contracts import brain as bodies

READ_MAX: Final = 20
"""Items, spread over all, by which it is judged whether the embedding model can read most of them."""

router = APIRouter(route_class=JsonRoute)


@router.post("/analyze/coverage", summary="Analyse the coverage of a department")
async def analyze_coverage(request: bodies.CoverageRequest, caller: CallerDep) -> bodies.CoverageResponse:
    """Measure up to 100 items against the department's aspects; nothing is stored."""
    items = _named(request.gather_items)
    repository = await caller.open_project(request.project_id)
    await repository.require_known()
    watch = Stopwatch()
    # Off the loop, as the measuring is: a long description takes a tenth of a second.
    plan = await asyncio.to_thread(
        plan_measurement,
        request.department,
        request.department_description,
        items,
        finds_treating=request.find_treating,
    )
    embedder = caller.models.embedder
    rows, readable = np.zeros((0, 0), np.float32), list[bool]()
    if plan.items:
        sample = plan.items[:: 1 + len(plan.items) // READ_MAX]
        rows, readable, _ = await asyncio.gather(
            embedder.embed(plan.texts),
            embedder.readable([item.content for item in sample]),
            asyncio.to_thread(read_ahead, plan),
        )
    embedding_ms = watch.lap_ms()
    # A hundred items take tens of milliseconds of arithmetic.
    found = await asyncio.to_thread(measure, plan, rows, embedder.name, readable=readable)
    analysis = analysis_of(found.coverage, plan.aspects, request.department, found.contradictions)
    return bodies.CoverageResponse(
        department=request.department,
        coverage_score=round(found.coverage.score, 1),
        analysis=analysis.model_copy(
            update={
                "treating": list(found.treating_ids),
                "aspects_left_out": plan.aspects_left_out,
                "sentences_left_out": plan.sentences_left_out,
            }
        ),
        item_distribution=dict(distribution_of(found.coverage)),
        quality_metrics=metrics_of(found),
        timing=bodies.CoverageTiming(
            embedding_time_ms=embedding_ms, analysis_time_ms=watch.lap_ms(), total_time_ms=watch.total_ms()
        ),
    )


def _named(items: Sequence[bodies.CoverageItem]) -> list[tuple[str, str]]:
    """Return each item's name and content; raises ValidationFailedError where two have one name."""
    found: dict[str, str] = {}
    repeated: dict[str, str] = {}
    for index, item in enumerate(items):
        name = item.id or f"item-{index}"
        if name in found:
            repeated[f"gatherItems.{index}.id"] = f"{name} names an item before it"
        found[name] = item.content
    if repeated:
        first = dict(list(repeated.items())[:PLACES_MAX])
        raise ValidationFailedError(f"Request validation failed: {', '.join(first)}", first)
    return list(found.items())
