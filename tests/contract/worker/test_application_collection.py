"""The application's own collection, on a real MongoDB: each note is read, each write taken or explained."""

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import jsonschema
import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection

from dev.paths import ROOT
from gather_contracts import names
from gather_contracts.items import BASED_ON_MAX, GatherItem
from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt
from gather_worker.errors import WriteRefused
from gather_worker.services import notes as reading
from gather_worker.services.notes import ProjectRead
from gather_worker.services.store import INDEXES, Store
from tests.support.application_documents import (
    COUNTS,
    FORMS,
    UNREADABLE,
    VALIDATOR,
    Document,
    as_json,
    every_form,
    gather_item,
    make_collection,
    person_note,
    save_items,
    set_validation,
)
from tests.support.worker_harness import Ended, WorkerHarness

SCHEMA: Final = json.loads((ROOT / "docs" / "items.schema.json").read_text(encoding="utf-8"))
ID: Final = "0123456789abcdef01234567"


@dataclass(frozen=True)
class Project:
    """One project's database, seen as the application sees it."""

    uri: str
    id: str
    client: MongoClient[Document]

    @property
    def gather(self) -> Collection[Document]:
        """Return the collection."""
        return self.client[names.gather_database(self.id)][names.ITEMS_COLLECTION]

    def make(self, *, level: str = "strict") -> None:
        """Make the collection as the application does."""
        make_collection(self.gather.database, level=level)

    def in_any_form(self, documents: Iterator[Document] | list[Document]) -> list[Document]:
        """Insert documents of before the validator, and return them."""
        given = list(documents)
        self.gather.insert_many([dict(each) for each in given], bypass_document_validation=True)
        return given

    async def read(self) -> ProjectRead:
        """Return what a worker reads."""
        async with self.store() as store:
            return await store.read_notes()

    async def save(self, *items: GatherItem) -> None:
        """Write as a worker does."""
        async with self.store() as store:
            await save_items(store, items)

    def store(self) -> "_Open":
        """Return a worker's store for one `async with`."""
        return _Open(Store(self.uri, self.id, Attempt(60), 5))


@dataclass(frozen=True)
class _Open:
    store: Store

    async def __aenter__(self) -> Store:
        return self.store

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()


@pytest.fixture
def project(mongodb_uri: str) -> Iterator[Project]:
    """A project of its own."""
    with MongoClient[Document](mongodb_uri, tz_aware=True) as client:
        project = Project(mongodb_uri, uuid.uuid4().hex[:24], client)
        yield project
        client.drop_database(project.gather.database.name)


# --- reading


async def test_every_form_of_a_person_s_note_is_read(project: Project) -> None:
    """Not one is left out, and each says what its author wrote."""
    project.make()
    given = project.in_any_form(every_form(project.id))
    read = await project.read()
    texts = {note.id: note.content for note in read.notes}
    assert not read.unread
    assert set(texts) == {str(document["_id"]) for document in given}
    for document in given:
        words = FORMS[document["marker"]][1]
        assert words in texts[str(document["_id"])], document["marker"]
    rich = [texts[str(d["_id"])] for d in given if d["marker"] in {"Lexical", "Lexical as JSON", "Slate"}]
    assert all(text.startswith("The pump\nMarta counts every stroke.\nsalt\n") for text in rich)
    assert not any(re.search(r'paragraph|"type"|ltr|https?:|bullet|banner', text) for text in texts.values())


async def test_what_is_no_note_is_counted_in_one_line(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """By reason, and never with its content."""
    project.in_any_form([person_note(project.id, **fields) for fields, _ in UNREADABLE.values()])
    project.in_any_form([person_note(project.id, content=COUNTS)])
    with caplog.at_level(logging.INFO):
        read = await project.read()
    assert [note.content for note in read.notes] == [COUNTS]
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "documents in `gather` that are no notes: 3 no text, 1 of another project, 1 an unusable id"
    ]


async def test_notes_of_older_versions_are_read_as_ours(project: Project) -> None:
    """Texts for ids, and `automation` for what is `automationMetadata` today."""
    older = {
        "_id": "bae4ddec-8915-55c3-b5bf-a24d9ee97fc7", "content": COUNTS, "summary": "s", "context": "",
        "projectId": project.id, "department": "story", "departmentName": "Story", "userId": "user-7",
        "isAutomated": True, "automation": {
            "run": "r", "runUid": "u", "taskId": "pod", "iteration": 2, "model": "m", "qualityScore": 61.5,
        },
    }  # fmt: skip
    project.in_any_form([older])
    (note,) = (await project.read()).notes
    assert (note.id, note.department, note.user_id, note.is_automated) == (
        older["_id"], "story", "user-7", True,
    )  # fmt: skip
    assert note.origin is not None
    assert (note.origin.run_uid, note.origin.iteration, note.origin.quality_score) == ("u", 2, 61.5)
    async with project.store() as store:
        assert await store.notes_by_id([note.id]) == [note]


async def test_a_note_that_is_not_canon_does_not_count_and_a_settled_one_is_marked(project: Project) -> None:
    """The former is known by its id, since the brain may still hold it."""
    out, settled = ObjectId(), ObjectId()
    project.in_any_form([
        person_note(project.id, _id=out, canon=False), person_note(project.id, _id=settled, locked=True),
        person_note(project.id, canon=True),
    ])  # fmt: skip
    read = await project.read()
    assert {note.id for note in read.notes if note.is_locked} == {str(settled)}
    assert len(read.notes) == 2
    assert read.excluded_ids == {str(out)}
    async with project.store() as store:
        assert await store.notes_by_id([str(out)]) == []


async def test_damaged_documents_cost_only_themselves(project: Project) -> None:
    """Bytes that are no UTF-8 are shown as such; a date beyond the calendar is no date."""
    project.in_any_form([person_note(project.id, content="good"), person_note(project.id, content="XX")])
    raw = project.gather.database.command({
        "update": names.ITEMS_COLLECTION, "bypassDocumentValidation": True,
        "updates": [{
            "q": {"content": "good"}, "u": [{"$set": {"createdAt": {"$toDate": {"$literal": 2**60}}}}],
        }],
    })  # fmt: skip
    assert raw["nModified"] == 1
    assert len((await project.read()).notes) == 2


async def test_people_s_notes_are_never_crowded_out(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ours, however many, nor by each other's length."""
    monkeypatch.setattr(reading, "OURS_READ_MAX", 10)
    monkeypatch.setattr(reading, "PEOPLE_WHOLE_CHARS", 5_000)
    project.in_any_form([person_note(project.id, content=f"{n:03} {COUNTS * 20}") for n in range(100)])
    await project.save(*(gather_item(f"{n:024x}", project.id, f"lamp {n}") for n in range(30)))
    read = await project.read()
    people = [note for note in read.notes if not note.is_automated]
    assert sorted(note.content[:3] for note in people) == [f"{n:03}" for n in range(100)]
    assert len(read.notes) == 110
    assert read.is_cut


async def test_ten_thousand_notes_of_people_are_read(project: Project) -> None:
    """Within a worker's start, and all of them."""
    forms = [document for document, _ in FORMS.values() if "_id" not in document]
    documents = [
        person_note(project.id, **{k: v for k, v in forms[n % len(forms)].items() if k != "projectId"})
        for n in range(10_000)
        if forms[n % len(forms)].get("content") != FORMS["very long"][0]["content"]
    ]
    project.in_any_form(documents)
    async with asyncio.timeout(30):
        read = await project.read()
    assert len(read.notes) == len(documents)
    assert not read.unread
    assert sum(note.size for note in read.notes) < reading.READ_CHARS


# --- writing


async def test_our_notes_have_the_application_s_form(project: Project) -> None:
    """Its validator takes them, its types are kept, and our schema says the same; nothing is null."""
    project.make()
    item = gather_item(ID, project.id, based_on_nodes=["a", "b"])
    await project.save(item)
    async with project.store() as store:
        await store.set_scores([ID], 71.5)
    (found,) = project.gather.find()
    assert isinstance(found["_id"], ObjectId)
    assert found["automationMetadata"]["qualityScore"] == 71.5
    assert found["automationMetadata"]["basedOnNodes"] == ["a", "b"]
    assert found["lastUpdated"] > found["createdAt"]
    jsonschema.validate(as_json(found), SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(found) | {"imageUrl": None}, SCHEMA)


async def test_the_application_finds_its_indexes_where_gather_was_first(project: Project) -> None:
    """And can make them again, which changes nothing."""
    await project.save(gather_item(ID, project.id))
    made = project.gather.index_information()
    assert len(made) == len(INDEXES) + 1
    for index in INDEXES:
        project.gather.create_indexes([index])
    assert project.gather.index_information() == made


async def test_indexes_that_are_there_are_left_alone(project: Project) -> None:
    """The application's own, of whatever options."""
    project.make()
    project.gather.drop_index("createdAt_-1")
    before = project.gather.index_information()
    await project.save(gather_item(ID, project.id))
    assert project.gather.index_information() == before
    assert project.gather.count_documents({}) == 1


STRICTER: Final[dict[str, tuple[Document, str]]] = {
    "missing": ({"$jsonSchema": {"required": ["shelf", "title"]}}, "shelf is missing; title is missing"),
    "type": (
        {"$jsonSchema": {"properties": {"createdAt": {"bsonType": "string"}}}},
        'createdAt breaks bsonType "string"',
    ),
    "nested": (
        {"$jsonSchema": {"properties": {
            "automationMetadata": {"properties": {"iteration": {"minimum": 9}}}
        }}},
        "automationMetadata.iteration breaks minimum 9",
    ),
    "no more fields": (
        {"$jsonSchema": {"properties": {"_id": {}, "content": {}}, "additionalProperties": False}},
        "automationMetadata is not allowed",
    ),
    "of an array": (
        {"$jsonSchema": {"properties": {"automationMetadata": {"properties": {"basedOnNodes": {
            "items": {"bsonType": "objectId"}
        }}}}}},
        'automationMetadata.basedOnNodes breaks bsonType "objectId"',
    ),
    "a query": ({"summary": {"$ne": ""}}, "breaks $ne"),
    "an expression": ({"$expr": {"$gt": [{"$strLenCP": "$content"}, 5000]}}, "breaks $expr"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRICTER)
async def test_a_validator_s_refusal_names_the_field_and_the_rule(project: Project, name: str) -> None:
    """And neither the note's words nor more than fits into the result."""
    validator, words = STRICTER[name]
    project.gather.database.create_collection(names.ITEMS_COLLECTION, validator=validator)
    words_of_the_note = "The widow drowns the ledger."
    with pytest.raises(WriteRefused) as refused:
        await project.save(gather_item(ID, project.id, words_of_the_note, based_on_nodes=["a"]))
    assert words in str(refused.value)
    assert "widow" not in str(refused.value)
    assert len(str(refused.value)) <= 256
    assert project.gather.count_documents({}) == 0


async def test_another_unique_index_is_no_success(project: Project) -> None:
    """What it lets in is there, and the message names its field; our own `_id` stays a success."""
    project.gather.create_index("summary", unique=True)
    items = [gather_item(f"{n:024x}", project.id, f"lamp {n}") for n in range(5)]
    with pytest.raises(WriteRefused, match=r"a unique index \(summary\) has"):
        await project.save(*items)
    assert project.gather.count_documents({}) == 1
    await project.save(items[0])


async def test_missing_rights_and_views_are_named(mongodb_uri: str) -> None:
    """At once, and not as a store that is away."""
    with MongoClient[Document](mongodb_uri) as client:
        project = Project(mongodb_uri, uuid.uuid4().hex[:24], client)
        database = project.gather.database
        database.create_collection(names.ITEMS_COLLECTION, viewOn="elsewhere", pipeline=[])
        with pytest.raises(WriteRefused, match="it is a view"):
            await project.save(gather_item(ID, project.id))
        client.drop_database(database.name)


# --- whole workers


def test_a_worker_is_at_home_in_the_application_s_collection(harness: WorkerHarness) -> None:
    """Nothing that it writes is refused, all that people wrote is told, and each note says of what."""
    with MongoClient[Document](harness.services.mongodb_uri, tz_aware=True) as client:
        project = Project(harness.services.mongodb_uri, harness.project_id, client)
        project.make()
        given = project.in_any_form(every_form(project.id))
        before = list(project.gather.find().sort("_id"))
        set_validation(project.gather.database, "strict")
        ended = harness.run(iterations=2)
        assert ended.exit_code == 0, ended.messages()
        ours = list(project.gather.find({"isAutomated": True}))
        assert ended.result is not None
        assert len(ours) == ended.result.items_created > 0
        known = {str(document["_id"]) for document in given} | {str(document["_id"]) for document in ours}
        for document in ours:
            jsonschema.validate(as_json(document), SCHEMA)
            based_on = document["automationMetadata"]["basedOnNodes"]
            assert set(based_on) <= known
            assert 0 < len(based_on) <= BASED_ON_MAX
        first = [d for d in ours if d["automationMetadata"]["iteration"] == 1]
        assert {i for d in first for i in d["automationMetadata"]["basedOnNodes"]} == {
            str(d["_id"]) for d in given
        }
        assert list(project.gather.find({"isAutomated": {"$ne": True}}).sort("_id")) == before
        assert project.gather.count_documents({"isAutomated": True, "$nor": [VALIDATOR]}) == 0


def test_a_worker_whose_notes_are_refused_fails_and_says_why(harness: WorkerHarness) -> None:
    """Exit 64 with field and rule; the notes wait in the checkpoint for a collection that takes them."""
    with MongoClient[Document](harness.services.mongodb_uri) as client:
        project = Project(harness.services.mongodb_uri, harness.project_id, client)
        project.gather.create_index("projectId", unique=True)
        ended = harness.run(iterations=2)
        assert_refused(ended, "a unique index (projectId)")
        assert ended.result is not None
        # The first one is there; this MongoDB has no transactions.
        assert ended.result.items_created == project.gather.count_documents({}) == 1
        pending = len(harness.checkpoint()["pending"])
        project.gather.drop_index("projectId_1")
        assert harness.run(iterations=1).exit_code == 0
        assert project.gather.count_documents({}) == 1 + pending
        project.gather.drop()
        project.gather.database.create_collection(
            names.ITEMS_COLLECTION, validator={"$jsonSchema": {"required": ["shelf"]}}
        )
        assert_refused(harness.run(index=1, iterations=2), "shelf is missing")


def assert_refused(ended: Ended, words: str) -> None:
    """Compare how a worker ended."""
    assert ended.result is not None
    assert (ended.exit_code, ended.result.reason) == (64, StopReason.WRITE_REFUSED)
    assert words in ended.result.message
    assert not any("unavailable" in message for message in ended.messages() if "MongoDB" in message)
