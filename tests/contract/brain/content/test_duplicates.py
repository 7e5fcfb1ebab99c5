"""What a written node repeats and what a search for duplicates finds, on the real index and model."""

import secrets
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import neo4j
import pytest

Search = Callable[..., Awaitable[list[dict[str, Any]]]]
LAMP = "Ada keeps the lamp of the lighthouse burning through the storm."
LAMP_AGAIN = "Ada keeps the lighthouse lamp burning through the storm."
FERRY = "The last ferry leaves the harbour at nine, whoever is late stays."
RADIO = "Tomas mends the old radio in the cellar and hears a voice."


def node(project: str, content: str, **more: Any) -> dict[str, Any]:
    """A node of the story department."""
    return {
        "type": "GatherItem",
        "content": content,
        "projectId": project,
        "id": str(uuid.uuid4()),
        "properties": {"department": "story"},
    } | more


async def create(http: httpx.AsyncClient, *nodes: dict[str, Any]) -> list[dict[str, Any] | None]:
    """Write nodes and return what each of them repeats."""
    response = await http.post("/api/v1/nodes/batch", json={"nodes": list(nodes)})
    assert response.status_code == 200, response.text
    return [written["duplicateOf"] for written in response.json()["nodes"]]


async def test_what_says_the_same_within_a_batch_names_the_first(
    http: httpx.AsyncClient, project: str
) -> None:
    """The later by its place names the earlier, never the other way round; others name nobody."""
    nodes = [node(project, text) for text in (LAMP, FERRY, LAMP_AGAIN, RADIO, LAMP.upper())]
    first, ferry, again, radio, shouted = await create(http, *nodes)
    assert first is ferry is radio is None
    assert again is not None
    assert shouted is not None
    assert again["nodeId"] == nodes[0]["id"]
    assert 0.9 <= again["similarity"] < 1
    assert shouted == {"nodeId": nodes[0]["id"], "similarity": 1}


async def test_what_repeats_a_node_of_the_project_names_the_nearest(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """Also of another department; nothing is dropped, and the repetition is found as a node of its own."""
    first, near = node(project, LAMP), node(project, LAMP_AGAIN)
    await create(http, first, near)
    again = node(project, LAMP_AGAIN.lower(), properties={"department": "visual"})
    (named,) = await create(http, again)
    assert named == {"nodeId": near["id"], "similarity": 1}
    assert {found["nodeId"] for found in await search(LAMP_AGAIN)} == {
        first["id"],
        near["id"],
        again["id"],
    }


async def test_other_types_and_other_projects_are_no_duplicates(
    http: httpx.AsyncClient, project: str
) -> None:
    """A scene is not a note, and nothing of another project is named."""
    await create(http, node(project, LAMP, type="Scene"))
    await create(http, node(secrets.token_hex(12), LAMP))
    assert await create(http, node(project, LAMP)) == [None]


async def test_sending_a_batch_again_gives_the_same_answer(http: httpx.AsyncClient, project: str) -> None:
    """A caller that tries again after a lost answer must not learn that the first repeats the second."""
    first, second = node(project, LAMP), node(project, LAMP_AGAIN)
    assert await create(http, first) == [None]
    named = await create(http, second)
    assert named[0] is not None
    assert named[0]["nodeId"] == first["id"]
    assert await create(http, first) == [None]
    assert await create(http, second | {"revision": 3}) == named
    assert await create(http, second | {"content": RADIO, "revision": 1}) == named


async def test_what_is_changed_into_a_repetition_is_the_later_one(
    http: httpx.AsyncClient, project: str
) -> None:
    """What counts is when a node began to say what it says."""
    changed, other = node(project, FERRY), node(project, LAMP)
    assert await create(http, changed, other) == [None, None]
    assert await create(http, changed | {"content": LAMP_AGAIN}) == [
        {"nodeId": other["id"], "similarity": pytest.approx(0.95, abs=0.05)}
    ]
    assert await create(http, other) == [None]


async def test_the_same_text_is_found_whatever_its_vector(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """Case, punctuation and spacing do not count, not even for a model that they mislead."""
    bare, dressed = "no", "  No!?!  ...  "
    written = node(project, bare)
    await create(http, written)
    assert [
        (found["nodeId"], found["similarity"])
        for found in await search(dressed, threshold=1, department="story")
    ] == [(written["id"], 1)]
    assert await search(dressed, threshold=1, excludeNodeIds=[written["id"]]) == []
    assert await search(dressed, threshold=1, department="visual") == []
    assert await create(http, node(project, dressed)) == [{"nodeId": written["id"], "similarity": 1}]


async def test_a_crowd_of_copies_hides_nobody(
    http: httpx.AsyncClient, project: str, search: Search, driver: neo4j.Driver
) -> None:
    """Hundreds of copies are neighbours of each other in the index, and it must still see past them."""
    await create(http, *(node(project, LAMP) for _ in range(50)))
    driver.execute_query(
        "MATCH (n:Node {projectId: $project}) UNWIND range(1, 11) AS again "
        "WITH n {.*, id: n.id + '-' + again} AS copied CREATE (m:Node) SET m = copied",
        project=project,
    )
    near = node(project, LAMP_AGAIN)
    (named,) = await create(http, near)
    assert named is not None
    copies = await search(LAMP, limit=50)
    assert [found["similarity"] for found in copies] == [1] * 50
    found = await search(LAMP_AGAIN, limit=50)
    assert (found[0]["nodeId"], found[0]["similarity"], len(found)) == (near["id"], 1, 50)
    best = [each["nodeId"] for each in found]
    rest = await search(LAMP_AGAIN, limit=50, excludeNodeIds=best)
    assert len(rest) == 50
    assert not {each["nodeId"] for each in rest} & set(best)
