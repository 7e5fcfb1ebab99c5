"""GET /api/v1/context/department: what earlier departments offer a later one."""

from typing import Annotated

from fastapi import APIRouter, Query

from gather_brain.api.json_route import JsonRoute
from gather_brain.api.services import CallerDep, Stopwatch
from gather_brain.aspects import profile_of
from gather_brain.context import context_of, target_vector
from gather_contracts.brain import (
    ContextQuery,
    ContextResponse,
    ContextTiming,
)

router = APIRouter(route_class=JsonRoute)


@router.get("/context/department", summary="Get the context of earlier departments")
async def department_context(query: Annotated[ContextQuery, Query()], caller: CallerDep) -> ContextResponse:
    """Aggregate the named departments' nodes by their relevance to `department`; none named is none."""
    repository = await caller.project(query.project_id)
    watch = Stopwatch()
    await repository.require_known()
    embedder = caller.models.embedder
    profile = (await embedder.embed([profile_of(query.department)]))[0]
    target = target_vector(profile, await repository.department_vectors(query.department))
    wanted = list(dict.fromkeys([*query.previous_departments, *query.previous_departments_plain]))
    found = await repository.departments(wanted, target, query.limit) if wanted else []
    query_ms = watch.lap_ms()
    context, summary, relevant = context_of(found, query.limit)
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
