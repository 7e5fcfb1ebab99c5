"""A person's note without a department counts for the departments that it treats, as the real brain finds."""

from collections.abc import Callable
from typing import Any, Final

import httpx
from pymongo import MongoClient

from dev.rooms import BRAIN_KEY
from dev.waiting import wait_for
from gather_contracts import names
from tests.support.application_documents import person_note
from tests.support.worker_harness import WorkerHarness

SOUND: Final = (
    "Sound Department handles ambience, musical score, foley, use of silence, dialogue recording, "
    "and the final mix"
)
TREATS: Final = (
    "Record the engine of the real ferry for two days; the foley must not sound like a library boat."
)
TREATS_NOT: Final = "Printer paper, coffee and the key of the small meeting room are with Dana."


def ask(harness: WorkerHarness, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the brain's answer."""
    headers = {"Authorization": f"Bearer {BRAIN_KEY}"}
    url = f"{harness.services.brain_uri}/api/v1/{path}"

    def answer() -> httpx.Response | None:
        response = httpx.post(url, json=body, headers=headers, timeout=30)
        return None if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else response

    found: dict[str, Any] = wait_for("the brain's answer", answer, 60).raise_for_status().json()
    return found


def coverage_of(harness: WorkerHarness, *more: str) -> float:
    """Return the coverage of the department's own notes and of further texts, as the brain has it."""
    department = harness.document.departments[0]
    texts = [item["content"] for item in harness.items() if item["isAutomated"]]
    body = {
        "projectId": harness.project_id,
        "department": department.slug,
        "departmentDescription": department.description,
        "gatherItems": [{"content": text} for text in [*texts, *more]],
    }
    return float(ask(harness, "analyze/coverage", body)["coverageScore"])


def write_notes(harness: WorkerHarness, *texts: str) -> None:
    """Write notes of people into MongoDB and, under the same ids, into the brain."""
    notes = [person_note(harness.project_id, content=text) for text in texts]
    with MongoClient[dict[str, Any]](harness.services.mongodb_uri) as client:
        client[names.gather_database(harness.project_id)][names.ITEMS_COLLECTION].insert_many(notes)
    nodes = [
        {
            "id": str(note["_id"]),
            "type": "GatherItem",
            "content": note["content"],
            "projectId": harness.project_id,
        }
        for note in notes
    ]
    ask(harness, "nodes/batch", {"nodes": nodes})


def test_a_note_that_settles_a_topic_counts_and_chatter_does_not(
    new_harness: Callable[..., WorkerHarness],
) -> None:
    """Coverage is that of the department's own notes and of the one that treats it."""
    harness = new_harness()
    sound = {"slug": "sound", "name": "Sound Department", "description": SOUND}
    first, *others = harness.document.departments
    departments = [first.model_copy(update=sound), *others]
    harness.document = harness.document.model_copy(update={"departments": departments})
    write_notes(harness, TREATS, TREATS_NOT)
    ended = harness.run(0, 1)
    assert ended.exit_code == 0, ended.messages()
    assert "people's notes without a department that count for this one: 1" in ended.messages()
    own, with_it = coverage_of(harness), coverage_of(harness, TREATS)
    assert harness.checkpoint()["quality"]["coverage"] == with_it
    assert with_it > own
