"""GET and DELETE /api/v1/nodes, GET /api/v1/nodes/{id}: nodes as they are kept."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.convertors import Convertor, register_url_convertor

from gather_brain.api.endpoint_dependencies import CallerDep, single
from gather_brain.api.list_parameters import ListRoute
from gather_brain.errors import NotFoundError
from gather_brain.store.node_pages import Filter, KeptNode
from gather_contracts.brain import (
    DeleteNodesQuery,
    NodeId,
    NodeQuery,
    NodesDeleted,
    NodesPage,
    NodesQuery,
    StoredNode,
)
from gather_contracts.model_bases.described import describe


class NodeIdConvertor(Convertor[str]):
    """Any text, with slashes and line ends, but the one that is an endpoint of its own."""

    regex = r"(?!batch$)[\s\S]+"

    def convert(self, value: str) -> str:
        """Return the id."""
        return value

    def to_string(self, value: str) -> str:
        """Return the id."""
        return value


register_url_convertor("node_id", NodeIdConvertor())
router = APIRouter(route_class=ListRoute)
describe(NodesQuery, NodeQuery, DeleteNodesQuery)


@router.get(
    "/nodes",
    summary="List nodes",
    dependencies=[single("projectId", "type", "department", "include", "limit", "cursor")],
    response_model_exclude_unset=True,
)
async def list_nodes(query: Annotated[NodesQuery, Query()], caller: CallerDep) -> NodesPage:
    """Return a project's nodes, page by page in the order of their ids; writes meanwhile shift nothing."""
    repository = await caller.open_project(query.project_id)
    found = await repository.pages.page(
        Filter(query.type, query.department),
        query.cursor or "",
        query.limit,
        with_content=query.include == "content",
    )
    if not found.nodes:
        await repository.require_known()
    following = {"next_cursor": found.nodes[-1].id} if found.has_more else {}
    return NodesPage(nodes=[_stored(node) for node in found.nodes], **following)


@router.get(
    "/nodes/{id:node_id}",
    summary="Get a node",
    dependencies=[single("projectId")],
    response_model_exclude_unset=True,
)
async def get_node(
    node_id: Annotated[NodeId, Path(alias="id", description="The node's id.")],
    query: Annotated[NodeQuery, Query()],
    caller: CallerDep,
) -> StoredNode:
    """Return one node with its content; an id that the project does not have is 404."""
    repository = await caller.open_project(query.project_id)
    node = await repository.pages.node(node_id)
    if node is None:
        raise NotFoundError("Node not found")
    return _stored(node)


@router.delete("/nodes", summary="Delete nodes", dependencies=[single("projectId")])
async def delete_nodes(query: Annotated[DeleteNodesQuery, Query()], caller: CallerDep) -> NodesDeleted:
    """Delete up to 100 nodes by their ids, all or none; ids that are not there are counted and no error."""
    repository = await caller.open_project(query.project_id)
    ids = set(query.ids)
    deleted = await repository.deletion.delete(sorted(ids))
    caller.dependencies.profile_refresher.schedule(
        repository.departments, caller.models.embedder, deleted.departments
    )
    return NodesDeleted(deleted=deleted.nodes, not_found=len(ids) - deleted.nodes)


def _stored(node: KeptNode) -> StoredNode:
    content: dict[str, Any] = {} if node.content is None else {"content": node.content}
    return StoredNode(
        id=node.id,
        type=node.type,
        content_hash=node.content_hash,
        properties=node.properties,
        revision=node.revision,
        created_at=node.created_at,
        updated_at=node.updated_at,
        **content,
    )
