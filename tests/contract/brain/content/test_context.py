"""Themes of departments, computed at once and put into words by a model when there is time."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import neo4j
import pytest

from gather_brain.store import department_store
from gather_brain.store.database import Database
from gather_brain.store.department_store import Departments
from gather_brain.store.overview_cache import SETTLED_AFTER_S
from tests.support.http_server import answering

CONDITION_TIMEOUT_S = 60
REFINED = ["a hitman's redemption", "family sacrifice", "blood and forgiveness"]
NOTES = {
    "story": [
        "A hero's journey through redemption: the hitman tries to buy back his family's trust.",
        "Redemption costs him the family he wants to save; each sacrifice takes a brother away.",
        "Three acts with rising tension; the sacrifice at the end closes the family circle.",
        "His daughter asks why redemption needs blood, and why the blood is never his.",
        "The hitman confesses; the family hears blood where he says redemption.",
    ],
    "visual": [
        "Dark noir aesthetic with high contrast and noir lighting.",
        "Urban decay: peeling posters, wet brick, a dark aesthetic in every street.",
        "Noir lighting through venetian blinds; urban decay in the background.",
        "A dark aesthetic, with one red neon sign as the only colour.",
    ],
    "sound": [
        "A lone trumpet in the rain, far off.",
        "Rain on tin roofs under every dialogue; trains far away.",
        "Trains shake the glasses; the trumpet answers.",
    ],
    "character": [
        "The hitman counts his sins in matchsticks.",
        "His daughter keeps the matchsticks in a tin.",
        "The detective owes the hitman a life.",
    ],
    "costume": [
        "A worn leather coat, grey with dust.",
        "The leather coat is too large for the hitman since prison.",
        "The daughter's red scarf is the only warm colour.",
    ],
}


class RunningBrain(Protocol):
    """What these tests need of a brain."""

    url: str
    service_key: str


async def write(http: httpx.AsyncClient, project: str, notes: dict[str, list[str]]) -> None:
    """Write the departments' notes in one batch."""
    nodes = [
        {
            "type": "GatherItem",
            "content": content,
            "projectId": project,
            "properties": {"department": department},
        }
        for department, contents in notes.items()
        for content in contents
    ]
    response = await http.post("/api/v1/nodes/batch", json={"nodes": nodes})
    assert response.status_code == 200, response.text


async def context(http: httpx.AsyncClient, project: str, departments: list[str]) -> dict[str, Any]:
    """Return the context that departments offer to editing."""
    response = await http.get(
        "/api/v1/context/department",
        params={"projectId": project, "department": "editing", "previousDepartments[]": departments},
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def themes(answer: dict[str, Any]) -> dict[str, list[str]]:
    """Return the key themes by department."""
    return {name: found["keyThemes"] for name, found in answer["context"].items()}


async def test_themes_are_what_each_department_is_about(http: httpx.AsyncClient, project: str) -> None:
    """Five departments of one film have distinct themes, in any order."""
    await write(http, project, NOTES)
    answer = await context(http, project, list(NOTES))
    found = themes(answer)
    assert {"redemption", "sacrifice", "family"} <= set(found["story"])
    assert set(found["visual"]) == {"noir lighting", "dark aesthetic", "urban decay"}
    assert {"trumpet", "rain", "trains"} == set(found["sound"])
    assert "matchsticks" in found["character"]
    assert found["costume"] == ["leather coat"]
    assert themes(await context(http, project, list(reversed(NOTES)))) == found
    assert "Visual (4 notes) deals with" in answer["aggregatedSummary"]
    assert "hitman" in answer["aggregatedSummary"].rsplit("Running through several of them:", 1)[1]


async def test_an_answer_never_lags_behind_a_write(http: httpx.AsyncClient, project: str) -> None:
    """What was written before the question counts, whether a stored profile stands or not."""
    await write(http, project, {"visual": NOTES["visual"]})
    before = themes(await context(http, project, ["visual"]))
    assert "noir lighting" in before["visual"]
    await write(http, project, {"visual": [f"Fog machines at dawn, fog in scene {n}." for n in "abcdefgh"]})
    assert themes(await context(http, project, ["visual"]))["visual"][0] == "fog machines"


async def test_what_a_replica_keeps_of_a_department_ends_with_any_change(
    http: httpx.AsyncClient,
    project: str,
    neo4j_uri: str,
    driver: neo4j.Driver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process writes, deletes and erases; only what is done past all of them is not noticed."""
    now_s = [0.0]
    monkeypatch.setattr(f"{department_store.__name__}.monotonic", lambda: now_s[0])
    scope = {"projectId": project, "model": "any", "modelProperty": "-", "vectorProperty": "-"}
    async with Database(neo4j_uri, None, database="neo4j", timeout_s=30, pool_size=2) as database:
        departments = Departments(database, scope, "a")

        async def counted() -> int:
            return (await departments.overview(["visual"]))["visual"].node_count

        assert await counted() == 0
        await write(http, project, {"visual": NOTES["visual"]})
        assert await counted() == 4
        now_s[0] += SETTLED_AFTER_S
        assert await counted() == 4
        driver.execute_query("MATCH (n:Node {projectId: $project}) WITH n LIMIT 1 DELETE n", project=project)
        assert await counted() == 4, "it is not counted again without a change"
        await write(http, project, {"sound": NOTES["sound"][:1]})
        assert await counted() == 3
        listed = (
            await http.get("/api/v1/nodes", params={"projectId": project, "department": "visual"})
        ).json()
        query = {"projectId": project, "ids": listed["nodes"][0]["id"]}
        assert (await http.delete("/api/v1/nodes", params=query)).json()["deleted"] == 1
        assert await counted() == 2
        erased = await http.delete(f"/api/v1/projects/{project}", params={"confirm": project})
        assert erased.status_code == 200
        assert await counted() == 0
        await write(http, project, {"visual": NOTES["visual"][:1]})
        assert await counted() == 1


@dataclass
class Model:
    """A chat endpoint that keeps every caller waiting until `answers` is set."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    called: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def model() -> Iterator[Model]:
    """A scripted model, for one test."""
    scripted = Model()

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        scripted.asked.append(body)
        scripted.called.set()
        scripted.answers.wait(CONDITION_TIMEOUT_S)
        content = json.dumps({"themes": [*REFINED, "<b>see https://example.org</b>"]})
        return {"choices": [{"message": {"content": content}}]}

    with answering(answer) as url:
        scripted.url = f"{url}/v1"
        yield scripted
        scripted.answers.set()


@pytest.fixture
async def refining(
    start_brain: Callable[..., AbstractContextManager[RunningBrain]], model: Model
) -> AsyncIterator[httpx.AsyncClient]:
    """A brain of its own that has themes refined."""
    settings = {"BASE_URL": model.url, "MODEL": "scripted/model", "CALLS_PER_HOUR": "1"}
    with start_brain(**{f"GATHER_BRAIN_THEMES_LLM_{name}": value for name, value in settings.items()}) as own:
        headers = {"Authorization": f"Bearer {own.service_key}"}
        async with httpx.AsyncClient(base_url=own.url, headers=headers, timeout=30) as client:
            yield client


async def test_a_model_refines_themes_without_anybody_waiting(
    refining: httpx.AsyncClient, http: httpx.AsyncClient, project: str, model: Model
) -> None:
    """While the model thinks, computed themes are answered; later its own, by every replica."""
    await write(refining, project, {"story": NOTES["story"]})
    async with asyncio.timeout(CONDITION_TIMEOUT_S):
        while not model.called.is_set():
            await context(refining, project, ["story"])
    # The model has been asked and does not answer; requests do.
    answer = await context(refining, project, ["story"])
    assert not set(REFINED) & set(themes(answer)["story"])
    prompt = model.asked[0]["messages"][1]["content"]
    assert "redemption" in prompt
    assert project not in prompt

    model.answers.set()
    async with asyncio.timeout(CONDITION_TIMEOUT_S):
        while themes(await context(http, project, ["story"]))["story"] != REFINED:
            assert len(model.asked) == 1
    await write(refining, project, {"story": ["One more note that changes little: the family waits."]})
    assert themes(await context(refining, project, ["story"]))["story"] == REFINED
    # The content is another now: the model's themes hold no more, and the hour's one call is spent.
    other = [
        f"The ferry leaves the island in chapter {n}; the ferry horn, the island fog." for n in "abcdefgh"
    ]
    await write(refining, project, {"story": other})
    assert "ferry" in " ".join(themes(await context(refining, project, ["story"]))["story"])
    assert len(model.asked) == 1
