"""POST /api/v1/search/duplicates and /batch: the nodes nearest to a text."""

from collections.abc import Sequence

from fastapi import APIRouter

from gather_brain.api.json_route import JsonRoute
from gather_brain.api.services import Caller, CallerDep, Stopwatch
from gather_brain.store.repository import Match, Where
from gather_brain.text import content_hash
from gather_contracts.brain import (
    Duplicate,
    DuplicatesBatchRequest,
    DuplicatesBatchResponse,
    DuplicatesFilter,
    DuplicatesRequest,
    DuplicatesResponse,
    DuplicatesResult,
)

router = APIRouter(route_class=JsonRoute)


@router.post("/search/duplicates", summary="Find near duplicates of a text")
async def find_duplicates(request: DuplicatesRequest, caller: CallerDep) -> DuplicatesResponse:
    """Return nodes of the project whose raw cosine with the text is `threshold` or more, nearest first."""
    watch = Stopwatch()
    (found,), embedding_ms, search_ms = await _search([request.content], request, caller, watch)
    return DuplicatesResponse(
        duplicates=found,
        query_embedding_time_ms=embedding_ms,
        search_time_ms=search_ms,
        total_time_ms=watch.total_ms(),
    )


@router.post("/search/duplicates/batch", summary="Find near duplicates of several texts")
async def find_duplicates_batch(
    request: DuplicatesBatchRequest, caller: CallerDep
) -> DuplicatesBatchResponse:
    """Do for up to 50 texts what `/search/duplicates` does for one."""
    watch = Stopwatch()
    found, embedding_ms, search_ms = await _search(request.contents, request, caller, watch)
    return DuplicatesBatchResponse(
        results=[DuplicatesResult(duplicates=each) for each in found],
        query_embedding_time_ms=embedding_ms,
        search_time_ms=search_ms,
        total_time_ms=watch.total_ms(),
    )


async def _search(
    contents: Sequence[str], request: DuplicatesFilter, caller: Caller, watch: Stopwatch
) -> tuple[list[list[Duplicate]], int, int]:
    repository = await caller.project(request.project_id)
    await repository.require_known()
    watch.lap_ms()
    vectors = await caller.models.embedder.embed(contents)
    embedding_ms = watch.lap_ms()
    where = Where(type=request.type, department=request.department, excluded_ids=request.exclude_node_ids)
    found = await repository.nearest(vectors, where, request.threshold, request.limit)
    shaped = [_duplicates(content, matches) for content, matches in zip(contents, found, strict=True)]
    return shaped, embedding_ms, watch.lap_ms()


def _duplicates(content: str, matches: Sequence[Match]) -> list[Duplicate]:
    """Shape the matches; the same text is similar by exactly 1, whatever floating point makes of it."""
    same = content_hash(content)
    shaped = [
        Duplicate(
            node_id=match.id,
            similarity=1.0 if match.content_hash == same else round(match.similarity, 6),
            content=match.content,
            properties=match.properties,
        )
        for match in matches
    ]
    return sorted(shaped, key=lambda each: (-each.similarity, each.node_id))
