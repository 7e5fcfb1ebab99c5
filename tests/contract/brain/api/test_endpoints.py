"""The four endpoints on the real Neo4j and the real model, body by body as the requirements show them."""

import math
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from gather_brain.embeddings.onnx_model import OnnxModel

Search = Callable[..., Awaitable[list[dict[str, Any]]]]
PROPERTIES = {
    "department": "story",
    "departmentName": "Story Department",
    "isAutomated": True,
    "iteration": 5,
    "qualityScore": 75.5,
    "model": "anthropic/claude-sonnet-4.5",
    "summary": "Ada keeps the lamp",
    "nothing": None,
    "large": 2**70,
}


def node(project: str, content: str, department: str = "story", **more: Any) -> dict[str, Any]:
    """A node as a caller sends it."""
    return {
        "type": "GatherItem",
        "content": content,
        "projectId": project,
        "properties": {"department": department, **more},
    }


async def create(http: httpx.AsyncClient, *nodes: dict[str, Any]) -> dict[str, Any]:
    """Write nodes and return the answer."""
    response = await http.post("/api/v1/nodes/batch", json={"nodes": list(nodes)})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_batch_answers_as_required(http: httpx.AsyncClient, project: str) -> None:
    """Ids, nodes in order, properties as they came, embedding, timing."""
    sent = {**node(project, "Ada keeps the lamp."), "properties": PROPERTIES}
    answer = await create(http, sent, node(project, "Tomas mends the radio.", "character"))
    assert set(answer) == {"success", "created", "nodeIds", "nodes", "timing"}
    assert (answer["success"], answer["created"]) == (True, 2)
    assert [found["id"] for found in answer["nodes"]] == answer["nodeIds"]
    assert answer["nodes"][0]["properties"] == PROPERTIES
    assert answer["nodes"][0]["embedding"] == {
        "dimensions": 384,
        "model": "all-MiniLM-L6-v2-w8a8",
        "readable": True,
    }
    assert set(answer["timing"]) == {"embedding_time_ms", "neo4j_write_time_ms", "total_time_ms"}


async def test_a_created_node_is_found_at_once_with_its_properties(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """Batch create, then duplicate search; the answer carries when it was created."""
    made = await create(http, {**node(project, "Ada keeps the lamp."), "properties": PROPERTIES})
    (found,) = await search("ada keeps the lamp")
    assert found["nodeId"] == made["nodeIds"][0]
    assert found["similarity"] == 1.0
    assert found["content"] == "Ada keeps the lamp."
    assert found["properties"].pop("createdAt").endswith("Z")
    assert found["properties"] == PROPERTIES


async def test_the_same_id_is_the_same_node(http: httpx.AsyncClient, project: str, search: Search) -> None:
    """A repeated batch writes nothing new; a changed one replaces."""
    sent = {**node(project, "Ada keeps the lamp."), "id": str(uuid.uuid4())}
    first, again = await create(http, sent), await create(http, sent)
    assert (first["created"], again["created"]) == (1, 0)
    assert first["nodeIds"] == again["nodeIds"] == [sent["id"]]
    changed = {**sent, "content": "The ferry is late.", "properties": {"department": "sound"}}
    assert (await create(http, changed, node(project, "Rain.")))["created"] == 1
    (found,) = await search("The ferry is late.")
    assert found["properties"]["department"] == "sound"
    assert await search("Ada keeps the lamp.") == []


async def test_similarity_and_threshold_are_raw_cosine(
    http: httpx.AsyncClient, project: str, embedding_model_dir: Path, search: Search
) -> None:
    """Neo4j's own score would be (1 + cosine) / 2 and let 0.8 through as 0.9."""
    one = "Ada has kept the lighthouse alone for eleven years."
    other = "For eleven years the lighthouse was in the care of Ada alone."
    rows = OnnxModel(embedding_model_dir, None).embed([one, other])
    cosine = float(rows[0] @ rows[1])
    assert 0.7 < cosine < 0.97
    await create(http, node(project, one))
    (found,) = await search(other, threshold=math.floor(cosine * 1000) / 1000)
    assert found["similarity"] == pytest.approx(cosine, abs=1e-3)
    assert await search(other, threshold=math.ceil(cosine * 1000) / 1000) == []


async def test_unrelated_texts_are_no_duplicates_even_at_threshold_zero_point_five(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """On Neo4j's scale unrelated texts score above 0.5."""
    await create(http, node(project, "The catering truck needs a level pitch near the harbour gate."))
    assert await search("Ada's brother sings in the storm.", threshold=0.5) == []


async def test_search_filters_by_type_department_and_excluded_ids(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """Excluding the nearest leaves the next ones."""
    text = "The lamp turns once in ten seconds"
    made = await create(
        http,
        node(project, f"{text}."),
        node(project, f"{text}!", "sound"),
        {**node(project, f"{text}?"), "type": "Scene"},
    )
    story, sound, scene = made["nodeIds"]

    async def ids(**more: Any) -> set[str]:
        return {found["nodeId"] for found in await search(text, **more)}

    assert await ids() == {story, sound}
    assert await ids(department="sound") == {sound}
    assert await ids(type="Scene") == {scene}
    assert await ids(excludeNodeIds=[story]) == {sound}
    assert len(await ids(limit=1)) == 1


async def test_several_texts_are_searched_at_once(http: httpx.AsyncClient, project: str) -> None:
    """One request for a whole iteration's items."""
    await create(http, node(project, "Ada keeps the lamp."), node(project, "The ferry is late."))
    response = await http.post(
        "/api/v1/search/duplicates/batch",
        json={"projectId": project, "contents": ["the ferry is late", "nobody knows", "ada keeps the lamp"]},
    )
    assert response.status_code == 200, response.text
    assert [len(result["duplicates"]) for result in response.json()["results"]] == [1, 0, 1]


async def test_pairs_are_compared_as_nodes_are(
    http: httpx.AsyncClient, project: str, embedding_model_dir: Path, search: Search
) -> None:
    """Raw cosine of the same model, in order; 1 for the same text but for form, 0 where it is negative."""
    one, other = "Ada keeps the lamp alone.", "Nobody but Ada looks after the lamp."
    pairs = [
        (one, other),
        (other, one),
        (one, "ada keeps  the LAMP, alone"),
        (one, "Quarterly tax rates: 7%"),
    ]
    response = await http.post(
        "/api/v1/search/similarity",
        json={"projectId": project, "pairs": [{"a": a, "b": b} for a, b in pairs]},
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    found = answer["similarities"]
    model = OnnxModel(embedding_model_dir, None)
    expected = [max(float(np.dot(*model.embed(list(pair)))), 0.0) for pair in pairs]
    assert found[0] == found[1] == pytest.approx(expected[0], abs=1e-3)
    assert found[2:] == [1.0, pytest.approx(expected[3], abs=1e-3)]
    (node_out,) = (await create(http, node(project, one)))["nodes"]
    assert answer["model"] == node_out["embedding"]["model"]
    (match,) = await search(other, threshold=0)
    assert match["similarity"] == pytest.approx(found[0], abs=1e-3)


@pytest.mark.parametrize(
    "pairs",
    [[], [{"a": "x"}], [{"a": "", "b": "x"}], [{"a": "x", "b": "y", "c": "z"}], [{"a": "x", "b": "y"}] * 51],
)
async def test_pairs_that_do_not_fit_are_400(
    http: httpx.AsyncClient, project: str, pairs: list[dict[str, str]]
) -> None:
    """None, half a pair, an empty text, a field too many, a pair too many."""
    response = await http.post("/api/v1/search/similarity", json={"projectId": project, "pairs": pairs})
    assert (response.status_code, response.json()["error"]) == (400, "validation_failed")
    assert any(field.startswith("pairs") for field in response.json()["details"])


async def test_a_small_project_beside_a_large_one_loses_nothing(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """The index filters inside; a filter after it would give a small project no rows."""
    large = "f" * 24
    for start in range(0, 700, 50):
        await create(
            http, *(node(large, f"The lamp of tower {start + n} burns all night.") for n in range(50))
        )
    made = await create(http, *(node(project, f"The lamp of tower {n} burns all night.") for n in range(20)))
    found = await search("The lamp of tower 7 burns all night.", threshold=0.5, limit=50)
    assert {each["nodeId"] for each in found} == set(made["nodeIds"])


async def test_the_index_finds_what_exact_search_finds(
    http: httpx.AsyncClient, project: str, embedding_model_dir: Path, search: Search
) -> None:
    """Above 500 nodes the index answers; near neighbours must all be there, in order, excluded ones not."""
    people, verbs = ("Ada", "Tomas", "Ingrid", "The skipper", "A boy"), ("mends", "hides", "burns", "counts")
    things = ("the rope", "a lamp", "the ledger", "nine nets", "his coat", "the whistle")
    places = ("in the kitchen", "at the pier", "under the stairs", "before dawn", "during the storm")
    texts = [f"{a} {b} {c} {d}." for a in people for b in verbs for c in things for d in places]
    ids = [
        (await create(http, *(node(project, text) for text in texts[start : start + 50])))["nodeIds"]
        for start in range(0, 600, 50)
    ]
    by_id = dict(zip([one for batch in ids for one in batch], texts, strict=True))
    query = "Ada hides the ledger under the stairs."
    rows = OnnxModel(embedding_model_dir, None).embed([query, *by_id.values()])
    cosines = dict(zip(by_id, (rows[1:] @ rows[0]).tolist(), strict=True))
    near = sorted((one for one in cosines if cosines[one] >= 0.7), key=lambda one: -cosines[one])
    assert 10 < len(near) <= 200
    first = [found["nodeId"] for found in await search(query, threshold=0.7, limit=50)]
    assert set(first) == set(near[: len(first)])
    assert len(first) == min(50, len(near))
    rest = await search(query, threshold=0.7, limit=50, excludeNodeIds=first[:5])
    assert {found["nodeId"] for found in rest} == set(near[5 : 5 + len(rest)])
    assert np.allclose(
        [found["similarity"] for found in rest], [cosines[found["nodeId"]] for found in rest], atol=1e-3
    )
    # The same nodes are a large department, whose top nodes come from the index too.
    context = await http.get(
        "/api/v1/context/department",
        params={"projectId": project, "department": "sound", "previousDepartments[]": ["story"], "limit": 5},
    )
    story = context.json()["context"]["story"]
    relevances = [found["relevance"] for found in story["topNodes"]]
    assert (story["nodeCount"], len(relevances)) == (600, 5)
    assert relevances == sorted(relevances, reverse=True)


async def test_context_answers_as_required(http: httpx.AsyncClient, project: str) -> None:
    """Only the named departments, by their relevance to the target; quality is the nodes' mean."""
    await create(
        http,
        node(
            project,
            "Ada's wound is her drowned brother; guilt drives her.",
            summary="Ada's wound",
            qualityScore=80,
        ),
        node(project, "The skipper's guilt mirrors Ada's guilt.", qualityScore=90),
        node(project, "The guilt of the town stays silent.", qualityScore=85),
        node(project, "Lamp light falls cold on wet stone.", "visual"),
        node(project, "Not asked for.", "music"),
    )
    response = await http.get(
        "/api/v1/context/department",
        params={
            "projectId": project,
            "department": "character",
            "previousDepartments[]": ["story", "visual", "empty"],
            "limit": 2,
        },
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["projectId"], answer["targetDepartment"]) == (project, "character")
    assert set(answer["context"]) == {"story", "visual", "empty"}
    story = answer["context"]["story"]
    assert (story["nodeCount"], story["qualityScore"], len(story["topNodes"])) == (3, 85, 2)
    assert story["keyThemes"][0] == "guilt"
    assert set(story["topNodes"][0]) == {"nodeId", "content", "summary", "relevance"}
    relevances = [found["relevanceToTarget"] for found in answer["relevantNodes"]]
    assert relevances == sorted(relevances, reverse=True)
    assert len(relevances) == 2
    assert answer["context"]["empty"] == {"nodeCount": 0, "qualityScore": 0, "topNodes": [], "keyThemes": []}
    assert answer["totalNodesAggregated"] == 4
    assert "Story (3 notes) deals with guilt" in answer["aggregatedSummary"]
    assert "Not asked for" not in response.text
    assert set(answer["timing"]) == {"query_time_ms", "aggregation_time_ms", "total_time_ms"}


async def test_context_of_no_departments_is_empty(http: httpx.AsyncClient, project: str) -> None:
    """The first department has none before it."""
    await create(http, node(project, "Ada keeps the lamp."))
    answer = (
        await http.get("/api/v1/context/department", params={"projectId": project, "department": "story"})
    ).json()
    assert (answer["context"], answer["aggregatedSummary"], answer["totalNodesAggregated"]) == ({}, "", 0)


async def test_a_late_write_of_a_lower_revision_changes_nothing(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """A writer that was frozen before it knew the score must not take the score off again."""
    identity = str(uuid.uuid4())
    unscored = {**node(project, "Ada keeps the lamp."), "id": identity, "revision": 0}
    scored = {**node(project, "Ada keeps the lamp.", qualityScore=81.5), "id": identity, "revision": 1}
    for sent in (unscored, scored, unscored):
        await create(http, sent)
    assert (await search("Ada keeps the lamp."))[0]["properties"]["qualityScore"] == 81.5
    better = {**scored, "properties": {"department": "story", "qualityScore": 90.0}}
    await create(http, better)
    assert (await search("Ada keeps the lamp."))[0]["properties"]["qualityScore"] == 90.0
