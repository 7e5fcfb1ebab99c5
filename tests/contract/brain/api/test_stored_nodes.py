"""Listing and reading nodes, on the real Neo4j."""

import hashlib
import secrets
from typing import Any, Final

import httpx
import neo4j
import pytest

from gather_brain.store.cypher import listing_queries
from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainNotFound
from tests.support.brain_nodes import NODES, delete, ids, node, page, write

ODD_IDS: Final = (
    "a/b", "/", "a b", "a%2Fb", "ä?b#c&d=e", "灯台", "..", "../nodes", "a\nb", "\n", "+", ";", "🌊",
    "batch/", "x" * 64, "\u0000",
)  # fmt: skip


async def test_pages_have_every_node_once_in_the_order_of_the_ids(
    http: httpx.AsyncClient, project: str
) -> None:
    """With hash, properties and times; the last page names no next one."""
    properties = {"department": "story", "nothing": None, "large": 2**70, "summary": "The lamp"}
    sent = [node(project, f"n{n}", f"Note {n}.", properties=properties, revision=n) for n in range(7)]
    await write(http, *reversed(sent))
    first = await page(http, project, limit=3)
    assert [each["id"] for each in first["nodes"]] == ["n0", "n1", "n2"]
    third = first["nodes"][2]
    assert third["createdAt"].endswith("Z")
    assert third["updatedAt"] >= third["createdAt"]
    assert {name: third[name] for name in third if name not in {"createdAt", "updatedAt"}} == {
        "id": "n2", "type": "GatherItem", "properties": properties, "revision": 2,
        "contentHash": hashlib.sha256(b"Note 2.").hexdigest(),
    }  # fmt: skip
    for limit in (1, 3, 6, 7, 500):
        assert await ids(http, project, limit=limit) == [f"n{n}" for n in range(7)]
    assert "nextCursor" not in await page(http, project, limit=7)
    with_content = await page(http, project, include="content", limit=2)
    assert [each["content"] for each in with_content["nodes"]] == ["Note 0.", "Note 1."]


async def test_pages_are_filtered_by_type_and_department(http: httpx.AsyncClient, project: str) -> None:
    """Also over pages that hold few of what is asked for."""
    kinds, departments = ("GatherItem", "Scene"), ("story", "sound", None)
    sent = [
        node(project, f"n{n:02}", f"Note {n}.", type=kinds[n % 2])
        | ({"properties": {"department": department}} if (department := departments[n % 3]) else {})
        for n in range(24)
    ]
    await write(http, *sent)

    def expected(kind: str | None, department: str | None) -> list[str]:
        return [
            each["id"] for each in sent
            if kind in {None, each["type"]}
            and department in {None, each.get("properties", {}).get("department")}
        ]  # fmt: skip

    for kind in (None, *kinds):
        for department in (None, "story", "sound", "nobody's"):
            filters = {"type": kind, "department": department}
            asked = {name: value for name, value in filters.items() if value is not None}
            assert await ids(http, project, limit=2, **asked) == expected(kind, department)


async def test_writes_between_pages_shift_nothing(http: httpx.AsyncClient, project: str) -> None:
    """A node that is there throughout is seen once, whatever comes and goes around it."""
    stays = [f"n{n:03}" for n in range(0, 60, 2)]
    await write(http, *(node(project, identity, f"Note {identity}.") for identity in stays))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for turn in range(60):
        answer = await page(http, project, limit=4, **cursor)
        seen += [each["id"] for each in answer["nodes"]]
        if "nextCursor" not in answer:
            break
        cursor = {"cursor": answer["nextCursor"]}
        before, after = f"a{turn}", f"n{len(seen):03}b"
        await write(http, node(project, before), node(project, after), node(project, stays[0], "Again."))
        await delete(http, project, before, f"a{turn - 1}")
    assert [identity for identity in seen if identity in stays] == stays
    assert len(seen) == len(set(seen))


async def test_a_page_of_long_nodes_is_shorter_and_none_is_lost(
    brain: Any, http: httpx.AsyncClient, project: str
) -> None:
    """An answer stays far below what the client reads, however long the properties are."""
    long = {f"p{n}": "光" * 7000 for n in range(30)}
    sent = [node(project, f"n{n:02}", f"Note {n}.", properties=long) for n in range(14)]
    for each in sent:
        await write(http, each)
    answer = await http.get(NODES, params={"projectId": project, "limit": 500})
    assert len(answer.content) < 8 * 2**20
    assert 1 <= len(answer.json()["nodes"]) < len(sent)
    async with BrainClient(brain.url, brain.service_key) as client:
        found = [each async for each in client.list_nodes(project, page_size=500)]
    assert [each.id for each in found] == [each["id"] for each in sent]
    assert all(each.properties == long for each in found)


async def test_nodes_of_before_there_was_an_exact_hash_have_one(
    http: httpx.AsyncClient, project: str, driver: neo4j.Driver
) -> None:
    """It is made from their content, which is not shown."""
    await write(http, node(project, "old", "Ada keeps the lamp!"), node(project, "new", "Rain."))
    driver.execute_query(
        "MATCH (n:Node {projectId: $project, id: 'old'}) REMOVE n.contentSha256", project=project
    )
    new, old = (await page(http, project))["nodes"]
    assert old["contentHash"] == hashlib.sha256(b"Ada keeps the lamp!").hexdigest()
    assert new["contentHash"] == hashlib.sha256(b"Rain.").hexdigest()
    assert "content" not in old


async def test_a_page_of_a_large_project_is_read_from_the_index(
    http: httpx.AsyncClient, project: str, driver: neo4j.Driver
) -> None:
    """Neo4j looks at as many entries as the page has nodes, wherever in the project it is."""
    await write(http, node(project, "n"))
    driver.execute_query(
        "MATCH (n:Node {projectId: $project, id: 'n'}) UNWIND range(0, 4999) AS i "
        "WITH n {.*, id: 'n' + right('0000' + i, 5)} AS copied CREATE (m:Node) SET m = copied",
        project=project,
    )
    for after in ("", "n02500", "n04000"):
        summary = driver.execute_query(
            "PROFILE " + listing_queries.PAGE.strip().removeprefix("CYPHER 25"),
            projectId=project, type=None, department=None, after=after, limit=501, withContent=False,
            lengthMax=2_000_000, few=4,
        ).summary  # fmt: skip
        assert summary.profile is not None
        operators, rows = _operators(summary.profile)
        assert {
            "NodeUniqueIndexSeekByRange",
            "NodeIndexSeekByRange",
            "NodeUniqueIndexSeek",
            "NodeIndexSeek",
        } & {name.split("@")[0] for name in operators}, operators
        assert not {"Sort@neo4j", "Top@neo4j"} & set(operators) or rows < 1000, operators
    assert len(await ids(http, project, limit=500)) == 5001


def _operators(plan: Any) -> tuple[list[str], int]:
    below = [_operators(child) for child in plan.get("children", [])]
    names = [plan["operatorType"], *(name for found, _ in below for name in found)]
    return names, max([plan.get("rows", 0), *(rows for _, rows in below)])


@pytest.mark.parametrize("identity", ODD_IDS)
async def test_a_node_is_read_by_any_id(
    http: httpx.AsyncClient, brain: Any, project: str, identity: str
) -> None:
    """Whatever stands in the id, percent-encoded in the path."""
    await write(http, node(project, identity, "Ada keeps the lamp."), node(project, "other", "Rain."))
    async with BrainClient(brain.url, brain.service_key) as client:
        found = await client.get_node(project, identity)
        assert (found.id, found.content, found.revision) == (identity, "Ada keeps the lamp.", 0)
        assert (await client.delete_nodes(project, [identity])).deleted == 1
        with pytest.raises(BrainNotFound):
            await client.get_node(project, identity)


async def test_an_unknown_node_is_404(http: httpx.AsyncClient, project: str) -> None:
    """As is another project's node, by the id that it has there."""
    other = secrets.token_hex(12)
    await write(http, node(project, "mine"))
    await write(http, node(other, "theirs"))
    for identity in ("nobody", "theirs"):
        answer = await http.get(f"{NODES}/{identity}", params={"projectId": project})
        assert (answer.status_code, answer.json()) == (
            404, {"error": "not_found", "message": "Node not found"},
        )  # fmt: skip


async def test_a_path_names_all_its_methods(http: httpx.AsyncClient) -> None:
    """Two endpoints share one, and a batch is no node."""
    for method, path, allowed in (
        ("PUT", NODES, "DELETE, GET"),
        ("POST", NODES, "DELETE, GET"),
        ("GET", f"{NODES}/batch", "POST"),
        ("DELETE", f"{NODES}/batch", "POST"),
        ("DELETE", f"{NODES}/x", "GET"),
        ("GET", "/api/v1/projects/x", "DELETE"),
    ):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed), (method, path)


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (NODES, {}, "projectId"),
        (NODES, {"projectId": "x"}, "projectId"),
        (NODES, {"projectId": "0" * 24, "limit": 0}, "limit"),
        (NODES, {"projectId": "0" * 24, "limit": 501}, "limit"),
        (NODES, {"projectId": "0" * 24, "limit": [1, 2]}, "limit"),
        (NODES, {"projectId": ["0" * 24, "1" * 24]}, "projectId"),
        (NODES, {"projectId": "0" * 24, "include": "vectors"}, "include"),
        (NODES, {"projectId": "0" * 24, "cursor": ""}, "cursor"),
        (NODES, {"projectId": "0" * 24, "cursor": "x" * 65}, "cursor"),
        (NODES, {"projectId": "0" * 24, "offset": 10}, "offset"),
        (f"{NODES}/{'x' * 65}", {"projectId": "0" * 24}, "id"),
        (f"{NODES}/x", {}, "projectId"),
    ],
)
async def test_a_query_that_does_not_fit_is_400(
    http: httpx.AsyncClient, path: str, query: dict[str, Any], field: str
) -> None:
    """And says which parameter it is."""
    answer = await http.get(path, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "validation_failed"), answer.text
    assert list(answer.json()["details"]) == [field]
