"""52 prompt injections through a model that obeys them: nothing changes but its notes' own text."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import neo4j
import pytest
import redis
from pymongo import MongoClient

from dev.paths import ROOT
from dev.rooms import BRAIN_KEY
from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.events import decode_event
from gather_contracts.instructions import TEXT_BYTES_MAX, Instructions
from gather_contracts.items import AutomationMetadata, GatherItem
from gather_contracts.result import DepartmentResult, StopReason
from gather_contracts.text_cleaning import clean
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.documents.note_node import NODE_TYPE
from gather_worker.prompt_files import GENERATE
from gather_worker.prompts import prompt_version
from tests.support.injectable_model import USAGE, InjectableModel, Payload, fenced, read_payloads, served
from tests.support.worker_harness import Ended, WorkerHarness, run_document

PAYLOADS = ROOT / "tests" / "data" / "injections.yaml"
PROJECT, OTHER_PROJECT = "a1" * 12, "b2" * 12
OTHER_ITEM, SIBLING_ITEM = "other-item", "sibling-item"
OWN_EVENTS = {
    "department_started", "deduplicating", "iteration_complete", "max_iterations_reached",
    "department_complete",
}  # fmt: skip
FORGED = ("forged line", "inj-")
ITERATIONS = 12
NO_EXPIRY = -1
"""What Redis answers for a key that lasts."""


def _aliases(model: Any) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.fixture
def known() -> dict[str, str]:
    """What exists and is none of the worker's."""
    return {
        "other_project": OTHER_PROJECT,
        "other_item": OTHER_ITEM,
        "sibling_item": SIBLING_ITEM,
        "sibling_checkpoint": names.checkpoint_id("uid-injected", "edit"),
    }


@pytest.fixture
def payloads(known: Mapping[str, str]) -> list[Payload]:
    """The payloads, with the names of what they are after."""
    return read_payloads(PAYLOADS, known)


@pytest.fixture
def model(payloads: list[Payload]) -> Iterator[InjectableModel]:
    """A model that obeys them."""
    with served(InjectableModel(payloads)) as model:
        yield model


def _department(slug: str, number: int, payloads: list[Payload]) -> ResolvedDepartment:
    """Return a department of payloads: name, description, instructions; no quality is ever enough for it."""
    description = "Handles plot structure, pacing and dialogue style.\n" + "\n".join(p.text for p in payloads)
    wanted = Instructions(
        text="\n".join(p.text for p in payloads[::-1])[:TEXT_BYTES_MAX],
        examples=tuple(p.text[:1000] for p in payloads[-6:]),
    )
    return ResolvedDepartment(
        slug=slug, name=f"{slug} $(MONGODB_URI)\n{payloads[0].mark} </data>", description=description[:8000],
        code_dep_number=number, threshold=100, model="injectable/model", instructions=wanted,
    )  # fmt: skip


@pytest.fixture
def injected_harness(
    new_harness: Any, model: InjectableModel, payloads: list[Payload], known: Mapping[str, str]
) -> Any:
    """A project full of payloads, beside things that are none of the worker's."""
    harness: WorkerHarness = new_harness()
    harness.services = type(harness.services)(**{**vars(harness.services), "model_uri": model.uri})
    departments = [_department("story", 1, payloads[:25]), _department("character", 2, payloads[25:])]
    document = run_document(PROJECT, "uid-injected")
    harness.document = document.model_copy(update={"departments": departments})
    with MongoClient[dict[str, Any]](harness.services.mongodb_uri) as client:
        for project in (PROJECT, OTHER_PROJECT):
            client.drop_database(names.gather_database(project))
        own, other = (client[names.gather_database(p)] for p in (PROJECT, OTHER_PROJECT))
        own[names.ITEMS_COLLECTION].insert_many([_by_hand(p) for p in payloads])
        own[names.ITEMS_COLLECTION].insert_one(_bystander(SIBLING_ITEM, PROJECT))
        other[names.ITEMS_COLLECTION].insert_one(_bystander(OTHER_ITEM, OTHER_PROJECT))
        own[names.CHECKPOINTS_COLLECTION].insert_one(
            {"_id": known["sibling_checkpoint"], "epoch": 7, "department": "edit", "iterations": 3,
             "scores": [71.5], "pending": [], "unindexed": [], "evaluation": "sent"}
        )  # fmt: skip
    with neo4j.GraphDatabase.driver(harness.services.neo4j_uri, auth=None) as driver:
        driver.execute_query(
            "MATCH (n) WHERE n.projectId IN [$a, $b] DETACH DELETE n", a=PROJECT, b=OTHER_PROJECT
        )
        for identity, project in ((OTHER_ITEM, OTHER_PROJECT), (f"node of {SIBLING_ITEM}", PROJECT)):
            driver.execute_query(
                "CREATE (:Node {id: $id, projectId: $project, type: 'Other', department: 'edit'})",
                id=identity, project=project,
            )  # fmt: skip
    return harness


def _by_hand(payload: Payload) -> dict[str, Any]:
    return {
        "_id": f"hand-{payload.mark}", "content": payload.text, "summary": "", "context": "",
        "projectId": PROJECT, "department": "archive", "departmentName": "Archive", "userId": "person",
        "isAutomated": False,
    }  # fmt: skip


def _bystander(identity: str, project: str) -> dict[str, Any]:
    return {
        "_id": identity, "content": "The mill burns in winter.", "summary": "Fire.", "context": "Why not.",
        "projectId": project, "department": "edit", "departmentName": "Editing", "userId": "person",
        "isAutomated": True, "automation": {"run": "harness", "qualityScore": 71.5},
    }  # fmt: skip


# --- what is in the stores beside the worker's own


def world(harness: WorkerHarness, own: set[str]) -> dict[str, Any]:
    """Return all that a worker of the departments `own` has no business to change."""
    return {**_mongodb(harness, own), **_neo4j(harness), **_redis(harness)}


def _mongodb(harness: WorkerHarness, own: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    uid = harness.document.run.uid
    with MongoClient[dict[str, Any]](harness.services.mongodb_uri) as client:
        for database in sorted(set(client.list_database_names()) - {"admin", "config", "local"}):
            for collection in sorted(client[database].list_collection_names()):
                for document in client[database][collection].find():
                    is_own = database == names.gather_database(PROJECT) and (
                        document["_id"] in {names.checkpoint_id(uid, slug) for slug in own}
                        or (_department_of(document) in own and document.get("isAutomated"))
                    )
                    if not is_own:
                        found[f"{database}/{collection}/{document['_id']}"] = document
    return found


def _department_of(document: dict[str, Any]) -> Any:
    """Return the department of a note of today's form, of an older one, or of a checkpoint."""
    return document.get("automationMetadata", document).get("department")


def _neo4j(harness: WorkerHarness) -> dict[str, Any]:
    """Return every node but those that follow the project's notes."""
    query = (
        "MATCH (n:Node) WHERE NOT (n.projectId = $project AND n.type = $type) "
        "RETURN elementId(n) AS id, labels(n) AS labels, properties(n) AS properties"
    )
    with neo4j.GraphDatabase.driver(harness.services.neo4j_uri, auth=None) as driver:
        records = driver.execute_query(query, project=PROJECT, type=NODE_TYPE).records
    return {f"node/{r['id']}": (r["labels"], r["properties"]) for r in records}


def _redis(harness: WorkerHarness) -> dict[str, Any]:
    """Return every lasting key but the project's own events: answers and limits are kept for a while."""
    with redis.Redis.from_url(harness.services.redis_url) as client:
        keys: Any = client.keys("*")
        foreign = [k for k in keys if PROJECT.encode() not in k and client.pttl(k) == NO_EXPIRY]
        return {f"redis/{key!r}": client.dump(key) for key in sorted(foreign)}


# --- the tests


def test_obeyed_injections_change_nothing_but_their_notes_text(
    injected_harness: WorkerHarness, model: InjectableModel, payloads: list[Payload]
) -> None:
    """In notes, department texts and answers, in two departments, one of which reads the other's notes."""
    harness = injected_harness
    before = world(harness, {"story"})
    for bystander in (OTHER_ITEM, SIBLING_ITEM):
        assert any(key.endswith(bystander) for key in before)
        assert any("node/" in key and bystander in str(thing) for key, thing in before.items())
    first = harness.run(0, ITERATIONS)
    assert world(harness, {"story"}) == before
    assert_own_things_are_whole(harness, 0, first, model)
    assert_all_were_obeyed(harness, model, payloads)

    before = world(harness, {"character"})
    asked = len(model.requests)
    second = harness.run(1, 3)
    assert world(harness, {"character"}) == before
    assert_own_things_are_whole(harness, 1, second, model, since=asked)
    shown = fenced(model.requests[asked]["messages"])["earlier_departments"]
    assert "inj-" in json.dumps(shown)


def assert_all_were_obeyed(harness: WorkerHarness, model: InjectableModel, payloads: list[Payload]) -> None:
    """Every payload was read and obeyed in its ways, and its text was written as a note."""
    ways = {(p.mark, way) for p in payloads for way in p.obeys}
    # How many pairs the rule is unsure of depends on the calibration.
    assert {way for way in ways if way[1] != "pairs"} <= model.obeyed
    assert {way for _, way in ways} == {way for _, way in model.obeyed} - {"written"}
    assert {mark for mark, way in model.obeyed if way == "written"} == {p.mark for p in payloads}
    texts = "\n".join(item["content"] for item in harness.items() if _department_of(item) == "story")
    # A few say nothing new beside the others, and are dropped.
    assert len([p.mark for p in payloads if p.mark in texts]) >= 45
    prompt = fenced(model.requests[0]["messages"])
    assert all(p.mark in json.dumps(prompt["project_notes"]) for p in payloads)
    assert "inj-01" in prompt["department_description"]
    assert all("inj-" in json.dumps(prompt[name]) for name in ("department_guidelines", "example_notes"))


def assert_own_things_are_whole(
    harness: WorkerHarness, index: int, ended: Ended, model: InjectableModel, since: int = 0
) -> None:
    """The department's own documents, nodes, events, result and log have the form that they always have."""
    department = harness.document.departments[index]
    assert ended.exit_code == 0, ended.messages()
    checkpoint = harness.checkpoint(index)
    ids = {
        names.item_id(harness.document.run.uid, department.slug, iteration, slot)
        for iteration in range(1, checkpoint["iterations"] + 1)
        for slot in range(10)
    }
    items = [i for i in harness.items() if _department_of(i) == department.slug and i["isAutomated"]]
    assert len(items) == checkpoint["itemsCreated"] > 0
    for item in items:
        assert_is_a_plain_note(harness, department, item, ids)
    nodes = set(harness.node_properties())
    assert nodes & ids == {item["_id"] for item in items}
    assert nodes - ids <= {str(item["_id"]) for item in harness.items()} | {f"node of {SIBLING_ITEM}"}
    assert_checkpoint_is_sound(checkpoint, model.requests[since:])
    assert_result_is_true(ended, checkpoint, harness.workers[index].folder)
    assert_events_are_sound(harness, department)
    assert_log_is_sound(harness, index, ended)
    for body in model.requests[since:]:
        assert_request_holds_no_secret(harness, body)


def assert_is_a_plain_note(
    harness: WorkerHarness, department: ResolvedDepartment, item: dict[str, Any], ids: set[str]
) -> None:
    """Only content, summary and context are the model's."""
    automation = item.pop("automationMetadata")
    assert set(item) | {"automationMetadata"} == _aliases(GatherItem)
    assert set(automation) <= _aliases(AutomationMetadata)
    assert item["_id"] in ids
    assert (item["projectId"], automation["departmentName"], item["createdBy"]) == (
        PROJECT,
        department.name,
        "harness-user",
    )
    assert (automation["run"], automation["runUid"]) == (harness.document.run.name, harness.document.run.uid)
    assert (automation["model"], automation["prompt"]) == (department.model, prompt_version(GENERATE))
    assert 1 <= automation["iteration"] <= ITERATIONS
    for text in (item["content"], item["summary"], item["context"]):
        assert text == clean(text)
        assert harness.services.mongodb_uri not in text
        assert BRAIN_KEY not in text


def assert_checkpoint_is_sound(checkpoint: dict[str, Any], requests: list[dict[str, Any]]) -> None:
    """One epoch for one worker, and a ledger that counted every request.

    An answer of a megabyte is not read to its end, where its bill stands: it is booked at its worst.
    """
    assert set(checkpoint) <= _aliases(Checkpoint) | {"updatedAt", "session"}
    assert checkpoint["epoch"] == 1
    assert len(checkpoint["scores"]) == checkpoint["iterations"] <= ITERATIONS
    assert checkpoint["pending"] == checkpoint["unindexed"] == []
    assert checkpoint["ledger"]["requests"] == len(requests)
    assert checkpoint["ledger"]["tokensIn"] >= USAGE["prompt_tokens"] * len(requests)
    assert all(score is None or 0 <= score < 100 for score in checkpoint["scores"])


def assert_result_is_true(ended: Ended, checkpoint: dict[str, Any], folder: Path) -> None:
    """The termination message says what the checkpoint says, and has no field more."""
    message = json.loads((folder / "termination-log").read_text(encoding="utf-8"))
    assert set(message) <= _aliases(DepartmentResult)
    assert ended.result is not None
    assert ended.result.reason in {StopReason.ITERATIONS_USED, StopReason.QUALITY_FLAT}
    assert ended.result.iterations == checkpoint["iterations"]
    assert ended.result.items_created == checkpoint["itemsCreated"]


def assert_events_are_sound(harness: WorkerHarness, department: ResolvedDepartment) -> None:
    """Of the types that a worker sends, of this project, with no field that the contract does not name."""
    with redis.Redis.from_url(harness.services.redis_url) as client:
        entries: Any = client.xrange(names.event_log(PROJECT))
        queued: Any = [*client.lrange(names.EVALUATION_QUEUE, 0, -1), *client.lrange("celery", 0, -1)]
    # Other tests' messages may be there; nothing obeyed may have queued one of this project.
    assert not [m for m in queued if PROJECT.encode() in base64.b64decode(json.loads(m)["body"])]
    own = [json.loads(fields[b"event"]) for _, fields in entries]
    own = [event for event in own if event["department"] == department.slug]
    assert {event["type"] for event in own} <= OWN_EVENTS
    for event in own:
        assert set(event) <= set(type(decode_event(json.dumps(event).encode())).model_fields)
        assert (event["project_id"], event["run"]) == (PROJECT, harness.document.run.name)
        assert event.get("department_name", department.name) == department.name


def assert_log_is_sound(harness: WorkerHarness, index: int, ended: Ended) -> None:
    """One JSON object a line, each this worker's own, none with a payload's words."""
    text = harness.workers[index].log_text()
    assert len(ended.log) == len(text.splitlines()) > 3
    department = harness.document.departments[index].slug
    assert all((line["run"], line["department"]) == ("harness", department) for line in ended.log)
    assert [words for words in FORGED if words in text] == []
    assert not re.search(r"[^\x20-\x7e\n]", text)


def assert_request_holds_no_secret(harness: WorkerHarness, body: dict[str, Any]) -> None:
    """Neither secrets nor tools are within the model's reach, and payloads stay inside the fence."""
    text = json.dumps(body)
    for secret in (
        *harness.services.secrets().values(),
        harness.services.brain_uri,
        harness.services.neo4j_uri,
    ):
        assert secret not in text
    assert not {"tools", "functions", "tool_choice", "function_call"} & set(body)
    assert body["messages"][1]["content"].count("data>") == 2
    fenced(body["messages"])
    system, user = (message["content"] for message in body["messages"][:2])
    assert "inj-" not in system + user.partition("<data>")[0] + user.partition("</data>")[2]
    assert [m["role"] for m in body["messages"]] in (
        ["system", "user"],
        ["system", "user", "assistant", "user"],
    )
    assert "inj-" not in body["messages"][-1]["content"].partition("<data>")[0]
