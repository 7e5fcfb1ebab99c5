"""GET /api/v1/context/department: what earlier departments offer a later one."""

from typing import Annotated

from fastapi import APIRouter, Query

from gather_brain.api.services import CallerDep, Stopwatch
from gather_brain.aspects import profile_of
from gather_brain.context import context_of, target_vector
from gather_contracts.brain import (
    CONTEXT_DEPARTMENTS_MAX,
    CONTEXT_LIMIT_MAX,
    ContextResponse,
    ContextTiming,
    Department,
    ProjectId,
)

router = APIRouter()

Departments = Annotated[
    list[Department],
    Query(
        alias="previousDepartments[]", max_length=CONTEXT_DEPARTMENTS_MAX, description="Previous departments"
    ),
]
BareDepartments = Annotated[
    list[Department],
    Query(alias="previousDepartments", max_length=CONTEXT_DEPARTMENTS_MAX, include_in_schema=False),
]


@router.get("/context/department", summary="Get the context of earlier departments")
async def department_context(  # noqa: PLR0917 - a query has no body to group its fields
    caller: CallerDep,
    project_id: Annotated[ProjectId, Query(alias="projectId")],
    department: Annotated[Department, Query()],
    previous: Departments = [],  # noqa: B006 - FastAPI copies defaults
    previous_bare: BareDepartments = [],  # noqa: B006 - as above
    limit: Annotated[int, Query(ge=1, le=CONTEXT_LIMIT_MAX, description="Nodes per department")] = 20,
) -> ContextResponse:
    """Aggregate the named departments' nodes by their relevance to `department`; none named is none."""
    repository = caller.project(project_id)
    watch = Stopwatch()
    await repository.require_known()
    embedder = caller.services.embedder
    profile = (await embedder.embed([profile_of(department)]))[0]
    target = target_vector(profile, await repository.department_vectors(department))
    wanted = list(dict.fromkeys([*previous, *previous_bare]))
    found = await repository.departments(wanted, target, limit) if wanted else []
    query_ms = watch.lap_ms()
    context, summary, relevant = context_of(found, limit)
    return ContextResponse(
        project_id=project_id,
        target_department=department,
        context=context,
        aggregated_summary=summary,
        relevant_nodes=relevant,
        total_nodes_aggregated=sum(each.node_count for each in found),
        timing=ContextTiming(
            query_time_ms=query_ms, aggregation_time_ms=watch.lap_ms(), total_time_ms=watch.total_ms()
        ),
    )
