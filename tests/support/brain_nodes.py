"""Nodes of a real brain: written, listed and deleted over plain HTTP, and what tenants write in them."""

from dataclasses import dataclass
from typing import Any, Final

import httpx
import neo4j

NODES: Final = "/api/v1/nodes"
DEPARTMENTS: Final = ("story", "visual", "звук")
TYPES: Final = ("GatherItem", "Scene")
IDS: Final = tuple(f"shared-{n}" for n in range(12))
"""Both tenants use the same ids; so few that a search returns all there is."""
PHRASES: Final = (
    "the lamp burns",
    "THE LAMP, BURNS!",
    "Der Leuchtturm schläft",
    "灯台の明かり",
    "🌊 the sea 🌊",
    "no",
    "a\u0301 ferry",
    "the tide comes in at night",
    "Ωκεανός",
    "the skipper counts nets",
    "\u202eright to left\u202c",
    "\ttabs\nand lines",
)


@dataclass
class Known:
    """A node as the model knows it; `since` is when it began to say what it says."""

    content: str
    type: str
    department: str
    revision: int
    since: int


def node(project: str, identity: str, content: str = "Ada keeps the lamp.", **more: Any) -> dict[str, Any]:
    """A node as a caller sends it."""
    return {"id": identity, "type": "GatherItem", "content": content, "projectId": project} | more


async def write(http: httpx.AsyncClient, *nodes: dict[str, Any]) -> dict[str, Any]:
    """Write nodes, 50 at a time, and return the last answer."""
    answer: dict[str, Any] = {}
    for start in range(0, len(nodes), 50):
        response = await http.post(f"{NODES}/batch", json={"nodes": nodes[start : start + 50]})
        assert response.status_code == 200, response.text
        answer = response.json()
    return answer


async def page(http: httpx.AsyncClient, project: str, **more: Any) -> dict[str, Any]:
    """One page of a project."""
    response = await http.get(NODES, params={"projectId": project, **more})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def ids(http: httpx.AsyncClient, project: str, **more: Any) -> list[str]:
    """The ids of all pages, in order."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await page(http, project, **more, **cursor)
        found += [each["id"] for each in answer["nodes"]]
        if "nextCursor" not in answer:
            return found
        cursor = {"cursor": answer["nextCursor"]}


async def delete(http: httpx.AsyncClient, project: str, *identities: str) -> dict[str, int]:
    """Delete nodes and return the counts."""
    response = await http.delete(NODES, params={"projectId": project, "ids": list(identities)})
    assert response.status_code == 200, response.text
    answer: dict[str, int] = response.json()
    return answer


async def erase(http: httpx.AsyncClient, project: str, confirm: str | None = None) -> httpx.Response:
    """Ask to erase a project."""
    return await http.delete(f"/api/v1/projects/{project}", params={"confirm": confirm or project})


def kept(driver: neo4j.Driver, project: str) -> dict[str, int]:
    """How many things of each label name the project."""
    records = driver.execute_query(
        "MATCH (n {projectId: $project}) "
        "RETURN CASE WHEN n:Node THEN 'Node' ELSE labels(n)[0] END AS label, count(*) AS count",
        project=project,
    ).records
    return {record["label"]: record["count"] for record in records}


def departments(driver: neo4j.Driver, project: str) -> set[str]:
    """The departments whose profile is stored."""
    records = driver.execute_query(
        "MATCH (d:Department {projectId: $project}) RETURN d.department AS department", project=project
    ).records
    return {record["department"] for record in records}
