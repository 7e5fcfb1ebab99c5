"""What an answer says is so: applied or not, at the threshold or not, all of it or cut."""

import json
import secrets
import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import neo4j
import pytest

from gather_brain.coverage.aspects import ASPECTS_MAX
from gather_brain.coverage.coverage_score import SENTENCES_MAX
from gather_clients.brain_client import MAX_RESPONSE_BYTES
from tests.bench.measure import memory_rise
from tests.support.brain_nodes import NODES, node, page, write

Search = Callable[..., Awaitable[list[dict[str, Any]]]]
JSON = {"Content-Type": "application/json"}
REFUSED_MIB = 32
"""An answer of 3.5 million characters takes more; what was refused came whole before."""
BLANK = (
    "   ", "\n\t", "\u200b\u200d", "\u2060\ufeff", "\0", "\u3164", "\u00ad \u200e",
    "\ufe0f", "\u034f\u180b", "\U000e0041\U000e0100",
)  # fmt: skip


async def test_a_write_says_of_each_node_whether_it_was_applied(
    http: httpx.AsyncClient, project: str
) -> None:
    """One that a higher revision superseded answers with what the node keeps."""
    kept = {"department": "story", "turn": 7}
    await write(http, node(project, "old", "Ada keeps the lamp.", revision=7, properties=kept))
    sent = node(project, "old", "A late text.", revision=3, type="Scene", properties={"turn": 3})
    answer = await write(http, sent, node(project, "new", "Tomas mends the radio.", revision=3))
    old, new = answer["nodes"]
    assert (old["applied"], old["revision"], old["type"], old["properties"]) == (False, 7, "GatherItem", kept)
    assert (new["applied"], new["revision"]) == (True, 3)
    again = await write(http, node(project, "old", "Ada keeps the lamp.", revision=7, properties={"turn": 8}))
    assert (again["nodes"][0]["applied"], again["nodes"][0]["properties"]) == (True, {"turn": 8})


async def test_nothing_below_the_threshold_is_returned(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """To the last digit that is shown, and what is exactly at it comes."""
    await write(http, node(project, "n", "Ada keeps the lamp through the storm."))
    text = "Through the gale Ada looks after the light."
    (found,) = await search(text, threshold=0)
    similarity = found["similarity"]
    assert 0.3 < similarity < 1
    assert len(await search(text, threshold=similarity)) == 1
    assert await search(text, threshold=round(similarity + 1e-6, 6)) == []


OTHERS = (
    ("दृश्य में मेला दिखाओ", "दृश्य में माला दिखाओ"),
    ("มีเสือในห้อง", "มีเสื้อในห้อง"),
    ("C", "C++"),
    ("-5 °C", "5 °C"),
    ("La peña", "La pena"),
    ("كَتَبَ", "كُتِبَ"),
    ("🎬", "🌊"),
)
SAME = (
    ("Việt Nam", unicodedata.normalize("NFD", "việt nam")),
    ("Straße!", "STRASSE"),
    ("(Ada)  keeps.", "ada keeps"),
)


async def test_similarity_1_is_for_the_same_text_alone(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """Whatever the model cannot distinguish; in comparisons, searches and what a write says of duplicates."""
    pairs = [{"a": one, "b": other} for one, other in (*OTHERS, *SAME)]
    answer = await http.post("/api/v1/search/similarity", json={"projectId": project, "pairs": pairs})
    similarities = answer.json()["similarities"]
    assert [each == 1 for each in similarities] == [False] * len(OTHERS) + [True] * len(SAME)
    await write(http, *(node(project, f"a{place}", one) for place, (one, _) in enumerate(OTHERS)))
    written = await write(
        http, *(node(project, f"b{place}", other) for place, (_, other) in enumerate(OTHERS))
    )
    assert all((each["duplicateOf"] or {}).get("similarity") != 1 for each in written["nodes"])
    for place, (one, other) in enumerate(OTHERS):
        found = {each["nodeId"]: each["similarity"] for each in await search(one, threshold=1)}
        assert found == {f"a{place}": 1}, other


@pytest.mark.parametrize("blank", BLANK, ids=ascii)
async def test_a_text_that_says_nothing_is_refused(http: httpx.AsyncClient, project: str, blank: str) -> None:
    """As a node, a question, half of a pair or an item it would be the same text as all others like it."""
    bodies = {
        f"{NODES}/batch": {"nodes": [node(project, "n", blank)]},
        "/api/v1/search/duplicates": {"projectId": project, "content": blank},
        "/api/v1/search/duplicates/batch": {"projectId": project, "contents": ["Ada.", blank]},
        "/api/v1/search/similarity": {"projectId": project, "pairs": [{"a": "Ada.", "b": blank}]},
        "/api/v1/analyze/coverage": {
            "projectId": project, "department": "story", "gatherItems": [{"content": blank}],
        },
    }  # fmt: skip
    for path, body in bodies.items():
        answer = await http.post(path, json=body)
        assert answer.status_code == 400, path
        assert "a reader sees" in answer.text


async def test_two_items_of_one_name_are_refused(http: httpx.AsyncClient, project: str) -> None:
    """Else one of them would be counted under the other's name; a place in the list is a name, too."""
    await write(http, node(project, "n"))
    items = [{"id": "item-2", "content": "A."}, {"id": "a", "content": "B."}, {"content": "C."}]
    body = {
        "projectId": project,
        "department": "story",
        "gatherItems": [*items, {"id": "a", "content": "D."}],
    }
    answer = await http.post("/api/v1/analyze/coverage", json=body)
    assert answer.status_code == 400
    assert set(answer.json()["details"]) == {"gatherItems.2.id", "gatherItems.3.id"}


async def test_what_is_cut_is_said(http: httpx.AsyncClient, project: str) -> None:
    """A description of more aspects, and an item of more sentences, than are measured."""
    await write(http, node(project, "n"))
    colours = [f"colour{number}" for number in range(ASPECTS_MAX + 2)]
    body = {
        "projectId": project, "department": "palette",
        "gatherItems": [{"content": "The sea is grey. " * (SENTENCES_MAX + 3)}, {"content": "Blue."}],
        "departmentDescription": f"Handles {', '.join(colours)}",
    }  # fmt: skip
    analysis = (await http.post("/api/v1/analyze/coverage", json=body)).json()["analysis"]
    assert len(analysis["gaps"]) + len(analysis["coveredAspects"]) == ASPECTS_MAX
    assert (analysis["aspectsLeftOut"], analysis["sentencesLeftOut"]) == (2, 3)
    assert analysis["contradictionCount"] == len(analysis["contradictions"]) == 0


@pytest.mark.parametrize("count", [0, 51])
async def test_too_few_and_too_many_nodes_are_an_invalid_batch(
    http: httpx.AsyncClient, project: str, count: int
) -> None:
    """In the code that the requirements name."""
    sent = {"nodes": [node(project, f"n{number}") for number in range(count)]}
    answer = await http.post(f"{NODES}/batch", json=sent)
    body = answer.json()
    assert (answer.status_code, body["error"]) == (400, "batch_validation_failed")
    assert body["details"]["invalid_nodes"] == []
    assert "50" in body["details"]["nodes"] or "1" in body["details"]["nodes"]


async def test_a_project_that_a_key_names_is_there_before_its_first_node(brain: Any, project: str) -> None:
    """A check for duplicates before the first save works; to a key of all projects it does not exist."""
    asked = {
        "/api/v1/search/duplicates": {"projectId": project, "content": "Ada keeps the lamp."},
        "/api/v1/search/duplicates/batch": {"projectId": project, "contents": ["Ada keeps the lamp."]},
        "/api/v1/analyze/coverage": {"projectId": project, "department": "story", "gatherItems": []},
    }
    context = {"projectId": project, "department": "story", "previousDepartments[]": "visual"}
    for key, status in ((brain.project_key(project), 200), (brain.service_key, 404)):
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=brain.url, headers=headers, timeout=30) as own:
            for path, body in asked.items():
                assert (await own.post(path, json=body)).status_code == status, path
            assert (await own.get("/api/v1/context/department", params=context)).status_code == status
            assert (await own.get(NODES, params={"projectId": project})).status_code == status
    other = {"Authorization": f"Bearer {brain.project_key(secrets.token_hex(12))}"}
    async with httpx.AsyncClient(base_url=brain.url, headers=other, timeout=30) as anothers:
        for path, body in asked.items():
            assert (await anothers.post(path, json=body)).status_code == 404


async def test_nodes_carry_the_label_of_their_type(
    http: httpx.AsyncClient, project: str, driver: neo4j.Driver
) -> None:
    """So that the requirements' own pattern finds them in Neo4j's browser."""
    query = "MATCH (n:GatherItem {projectId: $project}) RETURN n.id AS id ORDER BY id"

    def labelled() -> list[str]:
        return [record["id"] for record in driver.execute_query(query, project=project).records]

    await write(http, node(project, "a"), node(project, "b"), node(project, "c", type="Scene"))
    assert labelled() == ["a", "b"]
    await write(http, node(project, "b", type="Scene"), node(project, "c"))
    assert labelled() == ["a", "c"]


async def test_a_property_may_be_a_list_of_texts(http: httpx.AsyncClient, project: str) -> None:
    """Given back as it came; other lists are refused by the property's name."""
    tags = {"tags": ["night", "", "Мост"], "none": []}
    await write(http, node(project, "n", properties=tags))
    assert (await page(http, project))["nodes"][0]["properties"] == tags
    for wrong in ([1], [["a"]], ["a"] * 51, ["a", None], {"a": "b"}):
        sent = {"nodes": [node(project, "m", properties={"tags": wrong})]}
        answer = await http.post(f"{NODES}/batch", json=sent)
        assert answer.status_code == 400
        assert answer.json()["details"]["invalid_nodes"][0]["reason"].startswith("properties.tags: must be")


async def test_no_answer_is_longer_than_our_own_client_reads(http: httpx.AsyncClient, project: str) -> None:
    """In bytes, of which a control character has six; what would be longer says what to ask for."""
    text = "\0" * 7900
    filed = {"department": "story", "summary": text}
    for start in (0, 50):
        await write(
            http,
            *(
                node(project, f"n{each}", f"{text}{each}", properties=filed)
                for each in range(start, start + 50)
            ),
        )
    asked = {"projectId": project, "contents": [f"{text}{each}" for each in range(50)], "threshold": 0}
    query = {"projectId": project, "department": "music", "previousDepartments[]": "story"}
    answers = [
        await http.post("/api/v1/search/duplicates/batch", json=asked | {"limit": limit}, timeout=120)
        for limit in (1, 8)
    ]
    answers += [
        await http.get("/api/v1/context/department", params=query | {"limit": limit}) for limit in (20, 100)
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 400]
    for answer in answers:
        assert len(answer.content) <= MAX_RESPONSE_BYTES
        assert answer.status_code == 200 or "ask for fewer" in answer.json()["details"]["limit"]


async def test_what_is_too_long_to_answer_does_not_reach_the_brain(
    brain: Any, http: httpx.AsyncClient, project: str
) -> None:
    """Nodes of 250,000 characters: ten searches for all twenty would be 50 million, their context five.

    A write that higher revisions supersede says what they keep, or nothing of it is done.
    """
    long = {"department": "story"} | {f"p{number}": "\u4e2d" * 8000 for number in range(31)}
    texts = [f"The keeper counts lamp {number}." for number in range(20)]
    nodes = [
        node(project, f"n{place}", text, revision=5, properties=long) for place, text in enumerate(texts)
    ]
    for start in range(0, 20, 5):
        await write(http, *nodes[start : start + 5])
    late = [each | {"revision": 1, "properties": {}} for each in nodes]
    new = node(project, "new", "Nobody wrote this before.")
    search = {"projectId": project, "contents": texts[:10], "limit": 20, "threshold": 0}
    query = {"projectId": project, "department": "music", "previousDepartments[]": "story"}
    with memory_rise(brain.pid) as rise:
        answers = [
            await http.post("/api/v1/search/duplicates/batch", json=search),
            await http.get("/api/v1/context/department", params=query),
            await http.post(f"{NODES}/batch", json={"nodes": [*late, new]}),
        ]
        assert [answer.status_code for answer in answers] == [400, 400, 400]
        assert [list(answer.json()["details"]) for answer in answers] == [["limit"], ["limit"], ["nodes"]]
        assert all("ask for fewer" in answer.text for answer in answers)
        assert len((await page(http, project))["nodes"]) < 20
    assert rise.mib < REFUSED_MIB
    assert (await http.get(f"{NODES}/new", params={"projectId": project})).status_code == 404
    few = await http.post(f"{NODES}/batch", json={"nodes": [*late[:4], new]}, timeout=60)
    assert [each["applied"] for each in few.json()["nodes"]] == [False] * 4 + [True]
    assert [each["properties"] for each in few.json()["nodes"]] == [long] * 4 + [{}]
    found = await http.post("/api/v1/search/duplicates/batch", json=search | {"limit": 1}, timeout=60)
    assert [len(each["duplicates"]) for each in found.json()["results"]] == [1] * 10


async def test_texts_at_their_limits_are_taken_however_they_are_escaped(
    http: httpx.AsyncClient, project: str
) -> None:
    """50 nodes and 100 items of 8,000 characters, each a pair of escapes; what would be too long says so."""
    text = "\U0001f30a" * 7990
    nodes = [node(project, f"n{number}", f"{text}{number}") for number in range(50)]
    written = await http.post(
        f"{NODES}/batch", content=json.dumps({"nodes": nodes}), headers=JSON, timeout=120
    )
    assert written.status_code == 200, written.text[:300]
    items = [{"content": f"{text}{number}"} for number in range(100)]
    body = {"projectId": project, "department": "story", "gatherItems": items}
    measured = await http.post(
        "/api/v1/analyze/coverage", content=json.dumps(body), headers=JSON, timeout=120
    )
    assert measured.status_code == 200, measured.text[:300]
    asked = {
        "projectId": project,
        "contents": [f"{text}{number}" for number in range(50)],
        "limit": 50,
        "threshold": 0,
    }
    searched = await http.post("/api/v1/search/duplicates/batch", json=asked, timeout=120)
    assert searched.status_code == 400
    assert "fewer" in searched.json()["details"]["limit"]
    fewer = await http.post("/api/v1/search/duplicates/batch", json=asked | {"limit": 8}, timeout=120)
    assert fewer.status_code == 200
