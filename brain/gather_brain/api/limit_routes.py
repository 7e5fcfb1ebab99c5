"""GET /api/v1/limits: what of a key's limits is used, read without using any of them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from gather_brain.api.endpoint_dependencies import CallerDep, bucket_of, single
from gather_brain.limits.policy import ENDPOINTS, LIMIT_NAMES
from gather_clients.web.json_route import JsonRoute
from gather_contracts.brain import LimitsQuery, LimitsResponse, LimitUse
from gather_contracts.model_bases.described import describe

router = APIRouter(route_class=JsonRoute)
describe(LimitsQuery)


@router.get("/limits", summary="Read the key's limits", dependencies=[single("projectId")])
async def read_limits(query: Annotated[LimitsQuery, Query()], caller: CallerDep) -> LimitsResponse:
    """Return each limit of the key for the project and what is left of it; none of them is charged."""
    await caller.charge(query.project_id)
    policies = {name: caller.principal.policy(name) for name in LIMIT_NAMES if name != "refused"}
    states = await caller.dependencies.buckets.look(
        [(bucket_of(caller.principal, query.project_id, name), each) for name, each in policies.items()]
    )
    now = datetime.now(UTC)
    return LimitsResponse(
        project_id=query.project_id,
        limits=[
            LimitUse(
                name=name,
                endpoints=[f"{method} {path}" for (method, path), of in ENDPOINTS.items() if of == name],
                per_minute=state.policy.per_minute,
                burst=state.policy.burst,
                available=state.available,
                remaining=state.remaining,
                resets_at=now + timedelta(seconds=state.reset_s),
            )
            for name, state in zip(policies, states, strict=True)
        ],
    )
