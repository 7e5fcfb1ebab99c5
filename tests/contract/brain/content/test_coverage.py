"""Coverage on the real model: the body as the requirements show it, and what lowers which score."""

from typing import Any

import httpx
import pytest


@pytest.fixture
async def written_project(http: httpx.AsyncClient, project: str) -> str:
    """A project with one node; of one without, nothing is analysed."""
    node = {"type": "GatherItem", "content": "Ada keeps the lamp.", "projectId": project}
    (await http.post("/api/v1/nodes/batch", json={"nodes": [node]})).raise_for_status()
    return project


async def cover(http: httpx.AsyncClient, project: str, story: Any, contents: list[str]) -> dict[str, Any]:
    """Analyse the coverage of the story department by these texts."""
    response = await http.post(
        "/api/v1/analyze/coverage",
        json={
            "projectId": project,
            "department": "story",
            "gatherItems": [{"content": content, "summary": "s"} for content in contents],
            "departmentDescription": story["description"],
        },
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def quality(answer: dict[str, Any]) -> float:
    """The worker's formula with the brain's own measures."""
    metrics = answer["qualityMetrics"]
    parts = (answer["coverageScore"], metrics["depth"], metrics["coherence"], metrics["actionability"])
    return sum(weight * float(part) for weight, part in zip((0.4, 0.3, 0.2, 0.1), parts, strict=True))


async def test_coverage_answers_as_required(
    http: httpx.AsyncClient, written_project: str, story: Any
) -> None:
    """Aspects, gaps, recommendations, distribution, metrics."""
    contents = [note["content"] for note in story["notes"] if note["aspect"] in {"Pacing", "Dialogue Style"}]
    answer = await cover(http, written_project, story, contents)
    assert set(answer) == {
        "department", "coverageScore", "analysis", "itemDistribution", "qualityMetrics", "timing",
    }  # fmt: skip
    covered = {found["aspect"]: found for found in answer["analysis"]["coveredAspects"]}
    assert {"Pacing", "Dialogue Style"} <= set(covered)
    assert covered["Pacing"]["quality"] in {"good", "excellent"}
    assert all(identity.startswith("item-") for identity in covered["Pacing"]["items"])
    gap = answer["analysis"]["gaps"][0]
    assert set(gap) == {"aspect", "coverage", "itemCount", "severity", "suggestion", "items"}
    assert gap["aspect"] not in {"Pacing", "Dialogue Style"}
    assert gap["aspect"].lower() in answer["analysis"]["recommendations"][0]
    assert set(answer["itemDistribution"]) == {note["aspect"].lower() for note in story["notes"]}
    metrics = dict(answer["qualityMetrics"])
    assert metrics.pop("unmeasured") == {}
    assert set(metrics) == {"depth", "breadth", "coherence", "actionability"}


async def test_what_says_nothing_in_a_language_is_null_with_the_reason(
    http: httpx.AsyncClient, written_project: str, story: Any
) -> None:
    """Instructions are not known in Polish, words of Thai are not told apart, and the model reads neither."""
    polish = [
        "Ada jest w latarni i nie mówi nic o swoim bracie, który nie wrócił z morza, ale czeka na niego."
    ]
    metrics = (await cover(http, written_project, story, polish * 4))["qualityMetrics"]
    assert metrics["actionability"] is None
    assert set(metrics["unmeasured"]) == {"actionability", "coherence"}
    assert "'pl'" in metrics["unmeasured"]["actionability"]
    assert metrics["depth"] > 0
    metrics = (await cover(http, written_project, story, ["เอด้าอยู่ในประภาคารคนเดียวและรอพี่ชาย"]))[
        "qualityMetrics"
    ]
    assert set(metrics["unmeasured"]) == {"depth", "actionability", "coherence"}


async def test_notes_that_contradict_each_other_are_named(
    http: httpx.AsyncClient, written_project: str, story: Any
) -> None:
    """With the sentences in question, so that a page can show both."""
    said, denied = (
        "The harbour scene is shot at night with two boats.",
        "The harbour scene is not shot at night.",
    )
    answer = await cover(http, written_project, story, [said, "Ada keeps the lamp alone.", denied])
    (found,) = answer["analysis"]["contradictions"]
    told = dict(zip(found["items"], found["sentences"], strict=True))
    assert told == {"item-0": said, "item-2": denied}
    assert (await cover(http, written_project, story, [said]))["analysis"]["contradictions"] == []


async def test_coverage_of_nothing_is_nothing(
    http: httpx.AsyncClient, written_project: str, story: Any
) -> None:
    """Empty against full gather items."""
    answer = await cover(http, written_project, story, [])
    assert answer["coverageScore"] == 0
    assert len(answer["analysis"]["gaps"]) == 6
    assert [answer["qualityMetrics"][name] for name in ("depth", "coherence", "actionability")] == [0, 0, 0]


async def test_one_iteration_is_not_enough_and_a_worked_out_department_is(
    http: httpx.AsyncClient, written_project: str, story: Any
) -> None:
    """A worker stops near 80: not after 6 notes, and after 30 varied ones it must be able to."""
    by_aspect = [note["content"] for start in range(5) for note in story["notes"][start::5]]
    first, all_notes = (
        await cover(http, written_project, story, by_aspect[:6]),
        await cover(http, written_project, story, by_aspect),
    )
    assert first["coverageScore"] < 65
    assert quality(first) < 70
    assert all_notes["coverageScore"] >= 85
    assert quality(all_notes) >= 80


async def test_off_topic_items_cover_next_to_nothing(
    http: httpx.AsyncClient, written_project: str, story: Any
) -> None:
    """Catering and invoices are no story."""
    assert (await cover(http, written_project, story, story["off_topic"]))["coverageScore"] < 10


async def test_cutting_a_topic_thinning_and_copies_lower_what_names_them(
    http: httpx.AsyncClient, written_project: str, story: Any
) -> None:
    """Copies lower coherence and raise nothing."""
    notes = [note["content"] for note in story["notes"]]
    whole = await cover(http, written_project, story, notes)
    cut = await cover(
        http,
        written_project,
        story,
        [note["content"] for note in story["notes"] if note["aspect"] != "Thematic Development"],
    )
    thin = await cover(http, written_project, story, [" ".join(content.split()[:8]) for content in notes])
    padded = await cover(http, written_project, story, notes + notes[:10])
    assert cut["coverageScore"] < whole["coverageScore"] - 5
    assert cut["analysis"]["gaps"][0]["aspect"] == "Thematic Development"
    assert thin["qualityMetrics"]["depth"] < whole["qualityMetrics"]["depth"] - 20
    assert padded["coverageScore"] == whole["coverageScore"]
    assert padded["qualityMetrics"]["coherence"] < whole["qualityMetrics"]["coherence"] - 10


@pytest.mark.parametrize("department", ["kite-flying", "beekeeping", "puppetry"])
async def test_a_department_of_one_aspect_is_not_covered_by_notes_of_an_office(
    http: httpx.AsyncClient, written_project: str, department: str
) -> None:
    """It has nothing but its name; five such notes had 53 to 79 points."""
    notes = [
        "Build a rough sample in 80 minutes, show it to two departments and ask what they would change.",
        "Next, put it into the department's list with an owner and a date within 4 days.",
        "For collaboration, decide first what an audience should notice and what it should merely feel.",
        "A plain rule for purpose helps 3 people work alike without asking each other.",
        "Collect 3 references, reject the first two, and describe the third in five concrete sentences.",
    ]
    body = {
        "projectId": written_project,
        "department": department,
        "gatherItems": [{"content": note} for note in notes],
    }
    response = await http.post("/api/v1/analyze/coverage", json=body)
    assert response.json()["coverageScore"] < 5, response.text
