"""POST /api/v1/nodes/batch: embed and write nodes, all or none."""

import asyncio
import uuid

from fastapi import APIRouter

from gather_brain.api.endpoint_dependencies import CallerDep, Stopwatch
from gather_brain.errors import BatchValidationFailedError
from gather_brain.store.repository import NewNode, Written
from gather_brain.themes.phrases import phrases
from gather_clients.web.json_route import JsonRoute
from gather_contracts.brain import (
    BatchRequest,
    BatchResponse,
    BatchTiming,
    DuplicateOf,
    EmbeddingInfo,
    NodeIn,
    NodeOut,
)

router = APIRouter(route_class=JsonRoute)


@router.post("/nodes/batch", summary="Create nodes")
async def create_nodes(batch: BatchRequest, caller: CallerDep) -> BatchResponse:
    """Write 1 to 50 nodes of one project; the same id in the same project is the same node."""
    _require_one_batch(batch.nodes)
    caller.state.nodes = len(batch.nodes)
    repository = await caller.open_project(batch.nodes[0].project_id)
    watch = Stopwatch()
    contents = [node.content for node in batch.nodes]
    # Off the loop: long texts take tens of milliseconds.
    embedded, readable, terms = await asyncio.gather(
        caller.models.embed_for_writing(contents),
        caller.models.embedder.readable(contents),
        asyncio.to_thread(lambda: list(map(phrases, contents))),
    )
    embedding_ms = watch.lap_ms()
    nodes = [
        NewNode(
            id=node.id or str(uuid.uuid4()),
            type=node.type,
            content=node.content,
            properties=node.properties,
            terms=found,
            revision=node.revision,
        )
        for node, found in zip(batch.nodes, terms, strict=True)
    ]
    written = await repository.write(nodes, embedded)
    earlier = await repository.neighbours.earlier([node.id for node in nodes])
    duplicates = {
        node_id: DuplicateOf(node_id=each.id, similarity=each.similarity) for node_id, each in earlier.items()
    }
    caller.dependencies.profile_refresher.schedule(
        repository.departments, caller.models.embedder, written.departments
    )
    model = caller.models.place.model
    infos = [EmbeddingInfo(dimensions=model.dimensions, model=model.name, readable=each) for each in readable]
    return BatchResponse(
        created=written.created,
        node_ids=[node.id for node in nodes],
        nodes=[
            _answer(node, written, info, duplicates.get(node.id))
            for node, info in zip(nodes, infos, strict=True)
        ],
        timing=BatchTiming(
            embedding_time_ms=embedding_ms, neo4j_write_time_ms=watch.lap_ms(), total_time_ms=watch.total_ms()
        ),
    )


def _answer(
    node: NewNode, written: Written, embedding: EmbeddingInfo, duplicate_of: DuplicateOf | None
) -> NodeOut:
    """Return the node as it is now, which is not as it was sent where a higher revision stays."""
    kept = written.kept.get(node.id)
    return NodeOut(
        id=node.id,
        type=kept.type if kept else node.type,
        properties=kept.properties if kept else dict(node.properties),
        embedding=embedding,
        revision=written.revisions[node.id],
        applied=kept is None,
        duplicate_of=duplicate_of,
    )


def _require_one_batch(nodes: list[NodeIn]) -> None:
    """Refuse a batch over several projects or with one id twice."""
    invalid: dict[int, str] = {}
    seen: dict[str, int] = {}
    for index, node in enumerate(nodes):
        if node.project_id != nodes[0].project_id:
            invalid[index] = "projectId: all nodes of a batch must be of one project"
        if node.id is not None and seen.setdefault(node.id, index) != index:
            invalid[index] = f"id: the same as that of node {seen[node.id]}"
    if invalid:
        raise BatchValidationFailedError(invalid)
