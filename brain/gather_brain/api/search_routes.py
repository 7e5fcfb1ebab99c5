"""POST /api/v1/search/duplicates and /batch: the nodes nearest to a text; /similarity: two texts compared."""

import asyncio
from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter

from gather_brain.api.endpoint_dependencies import Caller, CallerDep, Stopwatch
from gather_brain.store.neighbours import LookedUp, Match, Where
from gather_brain.store.repository import ProjectRepository
from gather_brain.vectors import Matrix, shown
from gather_clients.web.json_route import JsonRoute
from gather_contracts.brain import (
    Duplicate,
    DuplicatesBatchRequest,
    DuplicatesBatchResponse,
    DuplicatesFilter,
    DuplicatesRequest,
    DuplicatesResponse,
    DuplicatesResult,
    SimilarityRequest,
    SimilarityResponse,
)
from gather_contracts.text import text_hash

router = APIRouter(route_class=JsonRoute)


@router.post("/search/duplicates", summary="Find near duplicates of a text")
async def find_duplicates(request: DuplicatesRequest, caller: CallerDep) -> DuplicatesResponse:
    """Return nodes of the project whose raw cosine with the text is `threshold` or more, nearest first."""
    watch = Stopwatch()
    (found,), embedding_ms, search_ms = await _search([request.content], request, caller, watch)
    return DuplicatesResponse(
        duplicates=found.duplicates,
        readable=found.readable,
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
        results=found,
        query_embedding_time_ms=embedding_ms,
        search_time_ms=search_ms,
        total_time_ms=watch.total_ms(),
    )


@router.post("/search/similarity", summary="Compare pairs of texts")
async def compare(request: SimilarityRequest, caller: CallerDep) -> SimilarityResponse:
    """Return the raw cosine of each pair of texts; nothing of the project is read, so it may be empty."""
    watch = Stopwatch()
    await caller.open_project(request.project_id)
    embedder = caller.models.embedder
    # Off the loop: the hashes of a hundred long texts take half a second.
    texts = [text for pair in request.pairs for text in (pair.a, pair.b)]
    rows, readable, are_same = await asyncio.gather(
        embedder.embed(texts),
        embedder.readable(texts),
        asyncio.to_thread(lambda: [text_hash(pair.a) == text_hash(pair.b) for pair in request.pairs]),
    )
    cosines = np.einsum("ij,ij->i", rows[::2], rows[1::2]).tolist()
    return SimilarityResponse(
        similarities=[
            shown(cosine, is_same_text=is_same) for is_same, cosine in zip(are_same, cosines, strict=True)
        ],
        readable=[one and other for one, other in zip(readable[::2], readable[1::2], strict=True)],
        model=embedder.name,
        total_time_ms=watch.total_ms(),
    )


async def _search(
    contents: Sequence[str], request: DuplicatesFilter, caller: Caller, watch: Stopwatch
) -> tuple[list[DuplicatesResult], int, int]:
    repository = await caller.open_project(request.project_id)
    where = Where(type=request.type, department=request.department, excluded_ids=request.exclude_node_ids)
    # What needs no vectors takes Neo4j some milliseconds, in which the model can already work.
    known, (rows, embedding_ms), readable = await asyncio.gather(
        _looked_up(repository, contents, where, request.limit),
        _embedded(contents, caller),
        caller.models.embedder.readable(contents),
    )
    watch.lap_ms()
    found = await repository.neighbours.nearest(rows, where, known, request.threshold, request.limit)
    results = [
        DuplicatesResult(duplicates=list(map(_answer, matches)), readable=can_read)
        for matches, can_read in zip(found, readable, strict=True)
    ]
    return results, embedding_ms, watch.lap_ms()


def _answer(match: Match) -> Duplicate:
    return Duplicate(
        node_id=match.id, similarity=match.similarity, content=match.content, properties=match.properties
    )


async def _looked_up(
    repository: ProjectRepository, contents: Sequence[str], where: Where, limit: int
) -> LookedUp:
    # Off the loop: the hashes of fifty long texts take a quarter of a second.
    hashes = await asyncio.to_thread(lambda: list(map(text_hash, contents)))
    return await repository.neighbours.look_up(hashes, where, limit)


async def _embedded(contents: Sequence[str], caller: Caller) -> tuple[Matrix, int]:
    watch = Stopwatch()
    return await caller.models.embedder.embed(contents), watch.total_ms()
