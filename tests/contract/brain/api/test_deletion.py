"""Deleting nodes and erasing projects, on the real Neo4j: what is gone, and who meets what meanwhile."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import httpx
import neo4j
import pytest

from tests.support.brain_nodes import NODES, delete, departments, erase, ids, kept, node, page, write

Search = Callable[..., Awaitable[list[dict[str, Any]]]]
NOT_FOUND: Final = {"error": "not_found", "message": "Project not found"}


@pytest.fixture
async def named(brain: Any, project: str) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP with a key that names the project."""
    headers = {"Authorization": f"Bearer {brain.project_key(project)}"}
    async with httpx.AsyncClient(base_url=brain.url, headers=headers, timeout=60) as client:
        yield client


async def test_a_project_without_nodes_is_empty_to_its_own_key_and_404_to_one_of_all(
    http: httpx.AsyncClient, named: httpx.AsyncClient, project: str, driver: neo4j.Driver
) -> None:
    """Deleting what is not there is no error, and makes nothing."""
    assert await page(named, project) == {"nodes": []}
    assert (await erase(named, project)).json() == {
        "projectId": project, "deleted": 0, "profiles": 0, "remaining": False,
    }  # fmt: skip
    for answer in (await http.get(NODES, params={"projectId": project}), await erase(http, project)):
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    for client in (http, named):
        assert await delete(client, project, "x", "y") == {"deleted": 0, "notFound": 2}
    assert kept(driver, project) == {}


async def test_deleting_is_idempotent_and_counts(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """A deleted node is found by nothing any more; what was not there is counted."""
    other = secrets.token_hex(12)
    await write(http, *(node(project, f"n{n}", f"The lamp of tower {n} burns.") for n in range(4)))
    await write(http, node(other, "n0", "The lamp of tower 0 burns."))
    assert await delete(http, project, "n0", "n1", "n1", "nobody") == {"deleted": 2, "notFound": 1}
    assert await delete(http, project, "n0", "n1") == {"deleted": 0, "notFound": 2}
    assert await ids(http, project) == ["n2", "n3"]
    assert {each["nodeId"] for each in await search("The lamp of tower 0 burns.", threshold=0)} == {
        "n2",
        "n3",
    }
    assert await ids(http, other) == ["n0"]
    assert (await write(http, node(project, "n0", "The lamp is back.")))["created"] == 1
    assert await ids(http, project) == ["n0", "n2", "n3"]


@pytest.mark.parametrize(
    "form",
    [
        "ids=n0&ids=n1&ids=n%2C2",
        "ids[]=n0&ids[]=n1&ids[]=n%2C2",
        "ids[0]=n0&ids[1]=n1&ids[2]=n%2c2",
        "ids=n0,n1,n%2C2",
        "ids%5B%5D=n0,n1&ids=n%2C2",
    ],
)
async def test_ids_may_be_written_in_any_usual_form_and_keep_their_commas(
    http: httpx.AsyncClient, project: str, form: str
) -> None:
    """A plain comma stands between ids, an encoded one is part of its id: "n" and "2" stay."""
    await write(http, *(node(project, each, f"Tower {each}.") for each in ("n0", "n1", "n,2", "n", "2")))
    answer = await http.delete(f"{NODES}?projectId={project}&{form}")
    assert answer.json() == {"deleted": 3, "notFound": 0}
    assert await ids(http, project) == ["2", "n"]


@pytest.mark.parametrize("count", [0, 101])
async def test_1_to_100_ids_are_deleted_at_once(http: httpx.AsyncClient, project: str, count: int) -> None:
    """And the client sends more of them in several requests."""
    query = {"projectId": project, "ids": [f"n{n}" for n in range(count)]}
    answer = await http.delete(NODES, params=query)
    assert (answer.status_code, list(answer.json()["details"])) == (400, ["ids"])


async def test_context_forgets_what_is_deleted_or_filed_elsewhere(
    http: httpx.AsyncClient, project: str, driver: neo4j.Driver
) -> None:
    """Counts and themes follow at once, and the profile goes with the last node of a department."""

    async def context() -> dict[str, Any]:
        query = {"projectId": project, "department": "music", "previousDepartments[]": ["story", "visual"]}
        response = await http.get("/api/v1/context/department", params=query)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()["context"]
        return found

    story, visual = {"department": "story"}, {"department": "visual"}
    texts = ("The lighthouse guilt of Ada.", "Guilt drives the skipper.", "The guilt of the town.")
    await write(http, *(node(project, f"g{n}", text, properties=story) for n, text in enumerate(texts)))
    await write(http, node(project, "k", "Herring nets dry at the harbour.", properties=story))
    await write(http, node(project, "v", "Cold light on wet stone.", properties=visual))
    before = await context()
    assert "guilt" in before["story"]["keyThemes"]
    await stored_profiles(driver, project, {"story", "visual"})
    await delete(http, project, "g0", "g1", "g2")
    after = await context()
    assert after["story"]["nodeCount"] == 1
    assert "guilt" not in str(after["story"])
    await write(http, node(project, "k", "Herring nets dry at the harbour.", properties=visual))
    moved = await context()
    assert (moved["story"]["nodeCount"], moved["visual"]["nodeCount"]) == (0, 2)
    await delete(http, project, "v", "k")
    assert "visual" not in departments(driver, project)


async def stored_profiles(driver: neo4j.Driver, project: str, wanted: set[str]) -> None:
    """Wait until the departments' profiles are stored."""
    async with asyncio.timeout(30):
        while not wanted <= await asyncio.to_thread(departments, driver, project):
            pass


async def test_erasing_leaves_nothing_that_names_the_project(
    http: httpx.AsyncClient, named: httpx.AsyncClient, project: str, driver: neo4j.Driver
) -> None:
    """Nodes, profiles and the project itself; others keep theirs."""
    other = secrets.token_hex(12)
    for one in (project, other):
        await write(
            http, *(node(one, f"n{n}", f"Tower {n}.", properties={"department": f"d{n}"}) for n in range(3))
        )
        await stored_profiles(driver, one, {"d0", "d1", "d2"})
    answer = await erase(named, project)
    assert (answer.status_code, answer.json()) == (
        200, {"projectId": project, "deleted": 3, "profiles": 3, "remaining": False},
    )  # fmt: skip
    assert kept(driver, project) == {}
    assert kept(driver, other) == {"Node": 3, "Department": 3, "Project": 1}
    assert (await erase(http, project)).status_code == 404
    assert (await write(http, node(project, "n0")))["created"] == 1


@pytest.mark.parametrize("confirm", ["", "0" * 24, "yes", "true"])
async def test_erasing_asks_for_the_id_twice(http: httpx.AsyncClient, project: str, confirm: str) -> None:
    """Whatever else is said, nothing is erased."""
    await write(http, node(project, "n"))
    query = {"confirm": confirm} if confirm else {}
    answer = await http.delete(f"/api/v1/projects/{project}", params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "validation_failed")
    assert list(answer.json()["details"]) == ["confirm"]
    assert await ids(http, project) == ["n"]
    assert (await erase(http, project, project.upper())).json()["deleted"] == 1


async def test_a_large_project_is_erased_within_one_request(
    http: httpx.AsyncClient, project: str, driver: neo4j.Driver
) -> None:
    """In several transactions."""
    await write(http, node(project, "n"))
    driver.execute_query(
        "MATCH (n:Node {projectId: $project, id: 'n'}) UNWIND range(1, 2500) AS i "
        "WITH n {.*, id: 'n' + i} AS copied CREATE (m:Node) SET m = copied",
        project=project,
    )
    assert (await erase(http, project)).json()["deleted"] == 2501
    assert kept(driver, project) == {}


async def test_writers_readers_and_erasers_at_once_meet_no_error(
    brain: Any, http: httpx.AsyncClient, project: str, driver: neo4j.Driver
) -> None:
    """Whatever was deleted under them; in the end all that is kept of the project can be erased."""
    statuses: set[int] = set()

    async def writer(turn: int) -> None:
        for n in range(12):
            sent = [node(project, f"n{k}", f"Tower {k} of {turn}.", properties={"department": f"d{k % 3}"},
                         revision=n) for k in range(6)]  # fmt: skip
            response = await http.post(f"{NODES}/batch", json={"nodes": sent})
            statuses.add(response.status_code)

    async def deleter() -> None:
        for n in range(12):
            query = {"projectId": project, "ids": [f"n{n % 6}", f"n{(n + 1) % 6}"]}
            statuses.add((await http.delete(NODES, params=query)).status_code)

    async def eraser() -> None:
        for _ in range(6):
            statuses.add((await erase(http, project)).status_code)
            await asyncio.sleep(0.05)

    await asyncio.gather(*(writer(turn) for turn in range(3)), deleter(), deleter(), eraser(), eraser())
    errors = [line for line in brain.log.read_text().splitlines() if '"ERROR"' in line]
    assert not errors, errors[0][-3000:]
    # 503: what a query waited for was deleted, and the same request succeeds.
    assert statuses <= {200, 404, 503}, statuses
    async with asyncio.timeout(30):
        while kept(driver, project):
            assert (await erase(http, project)).status_code in {200, 404}
            await asyncio.sleep(0.1)
