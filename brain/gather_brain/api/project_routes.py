"""DELETE /api/v1/projects/{projectId}: everything of a project."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from gather_brain.api.endpoint_dependencies import CallerDep, single
from gather_brain.errors import NotFoundError, ValidationFailedError
from gather_clients.web.json_route import JsonRoute
from gather_contracts.brain import EraseProjectQuery, ProjectErased, ProjectId
from gather_contracts.model_bases.described import describe

router = APIRouter(route_class=JsonRoute)
describe(EraseProjectQuery)


@router.delete("/projects/{projectId}", summary="Erase a project", dependencies=[single("confirm")])
async def erase_project(
    project_id: Annotated[ProjectId, Path(alias="projectId", description="The project that is erased.")],
    query: Annotated[EraseProjectQuery, Query()],
    caller: CallerDep,
) -> ProjectErased:
    """Erase all that is kept of a project: nodes, vectors, profiles. `confirm` repeats its id."""
    if query.confirm != project_id:
        details = {"confirm": "must be the id of the project in the path, all of which is erased"}
        raise ValidationFailedError("Request validation failed: confirm", details)
    repository = await caller.open_project(project_id)
    erased = await repository.deletion.erase()
    if erased is None and not caller.principal.names(project_id):
        raise NotFoundError
    return ProjectErased(
        project_id=project_id,
        deleted=erased.nodes if erased else 0,
        profiles=erased.profiles if erased else 0,
        remaining=erased.remaining if erased else False,
    )
