"""GET /api/v1/context/department: what earlier departments offer a later one."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from gather_brain.api.endpoint_dependencies import CallerDep, Stopwatch, single
from gather_brain.api.list_parameters import ListRoute
from gather_brain.context.summary import DepartmentFound, context_of, most_relevant, summary_of, target_vector
from gather_brain.coverage.aspects import typical_text
from gather_brain.store.answer_bounds import require_short_texts
from gather_brain.store.department_store import Overview, TopNode
from gather_brain.themes.phrases import PhraseCounts
from gather_brain.themes.profiles import Profile, still_matches
from gather_contracts.brain import (
    ContextQuery,
    ContextResponse,
    ContextTiming,
)
from gather_contracts.model_bases.described import describe

router = APIRouter(route_class=ListRoute)
describe(ContextQuery)


@router.get(
    "/context/department",
    summary="Get the context of earlier departments",
    dependencies=[single("projectId", "department", "limit")],
)
async def department_context(query: Annotated[ContextQuery, Query()], caller: CallerDep) -> ContextResponse:
    """Aggregate the named departments' nodes by their relevance to `department`; none named is none."""
    repository = await caller.open_project(query.project_id)
    watch = Stopwatch()
    embedder = caller.models.embedder
    wanted = list(dict.fromkeys(query.previous_departments))
    overviews = await repository.departments.overview(list(dict.fromkeys([query.department, *wanted])))
    if not any(each.node_count for each in overviews.values()):
        await repository.require_known()
    refresher = caller.dependencies.profile_refresher
    profiles = await refresher.profiles(repository.departments, embedder, overviews)
    description = (await embedder.embed([typical_text(query.department)]))[0]
    target = target_vector(description, profiles.get(query.department))
    counts = {name: overviews[name].node_count for name in wanted}
    top = await repository.departments.nearest(counts, target, query.limit)
    query_ms = watch.lap_ms()
    themes = await refresher.themes({name: profiles[name] for name in wanted if name in profiles}, embedder)
    found = [
        _department_found(overviews[name], profiles.get(name), themes.get(name, []), top[name])
        for name in wanted
    ]
    # Off the loop: 32 departments take tens of milliseconds.
    context, summary, relevant = await asyncio.to_thread(
        lambda: (context_of(found), summary_of(found, query.department), most_relevant(found, query.limit))
    )
    require_short_texts(
        [node.content for node in relevant]
        + [text for each in found for node in each.top for text in (node.content, node.summary)]
    )
    return ContextResponse(
        project_id=query.project_id,
        target_department=query.department,
        context=context,
        aggregated_summary=summary,
        relevant_nodes=relevant,
        total_nodes_aggregated=sum(each.node_count for each in found),
        timing=ContextTiming(
            query_time_ms=query_ms, aggregation_time_ms=watch.lap_ms(), total_time_ms=watch.total_ms()
        ),
    )


def _department_found(
    overview: Overview, profile: Profile | None, computed: Sequence[str], top: Sequence[TopNode]
) -> DepartmentFound:
    """Combine what is known of a department; a model's themes go first while they hold."""
    refined = overview.stored.refined if overview.stored else None
    holds = refined is not None and profile is not None and still_matches(refined, profile)
    return DepartmentFound(
        department=overview.department,
        node_count=overview.node_count,
        quality_score=overview.quality_score,
        themes=refined.themes if refined is not None and holds else computed,
        counts=profile.counts if profile else PhraseCounts({}, 0),
        top=top,
    )
