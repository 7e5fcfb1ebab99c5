"""`gather-worker sync` as a user starts it, with a real MongoDB and a real brain."""

import asyncio
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import Int64, ObjectId

from dev.rooms import brain_service
from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import note_of
from gather_contracts import names
from gather_contracts.brain import NODES_PER_BATCH_MAX, NodeIn
from gather_contracts.items import AutomationMetadata
from gather_worker.documents.note_node import REVISION_MAX, node_of
from gather_worker.sync.synchronizer import AT_ONCE
from tests.support.application.followed_project import FollowedProject
from tests.support.application_documents import (
    FORMS,
    NOW,
    UNREADABLE,
    every_form,
    gather_item,
    make_collection,
    person_note,
)
from tests.support.worker_harness import Services
from tests.support.workers.process_forks import ProcessForks

NOBODY = "127.0.0.1:9"
"""Where nothing listens."""


@pytest.fixture
def project(services: Services, forks: ProcessForks, tmp_path: Path) -> Iterator[FollowedProject]:
    """A project of the test's own."""
    made = FollowedProject(services, tmp_path, forks)
    yield made
    made.close()


def report_of(project: FollowedProject, *arguments: str) -> dict[str, Any]:
    """Run the command, which must succeed, and return its report."""
    done = project.command(*arguments)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    """Return new, changed, deleted, equal and refused."""
    return tuple(report[kind] for kind in ("new", "changed", "deleted", "equal", "refused"))


async def test_notes_of_every_form_are_in_the_brain_and_the_second_time_nothing_is_written(
    project: FollowedProject,
) -> None:
    """What can be read is written, what cannot is counted by reason, and all properties come back equal."""
    project.items.insert_many(every_form(project.project_id))
    project.items.insert_many(person_note(project.project_id, **f) for f, _ in UNREADABLE.values())
    ours = gather_item(str(ObjectId()), project.project_id, quality_score=78.0)
    project.items.insert_one(ours.model_dump(by_alias=True, exclude_none=True) | {"_id": ObjectId(ours.id)})
    first = report_of(project)
    assert counts(first) == (len(FORMS) + 1, 0, 0, 0, 0)
    assert first["noNotes"] == {"no text": 3, "of another project": 1}
    assert await project.is_equal()
    assert counts(report_of(project)) == (0, 0, 0, len(FORMS) + 1, 0)


async def test_edits_deletions_and_canon_are_followed_and_other_nodes_are_left(
    project: FollowedProject,
) -> None:
    """Content, summary and score count, `lastUpdated` alone does not; nodes of other types are others'."""
    notes = [project.add(content=f"The keeper counts lamp {n}.") for n in range(8)]
    foreign = NodeIn(id="scene", type="Scene", content="A scene.", project_id=project.project_id)
    stray = NodeIn(id="stray", type="GatherItem", content="A note of nobody.", project_id=project.project_id)
    await project.write_nodes(foreign, stray)
    assert counts(report_of(project)) == (8, 0, 1, 0, 0)
    changes: list[dict[str, Any]] = [
        {"content": "The keeper counts no lamp."},
        {"summary": "Lamps."},
        {"department": "story"},
        {"canon": False},
        {"lastUpdated": NOW + timedelta(days=1)},
        {"locked": True},
    ]
    for note, change in zip(notes, changes, strict=False):
        project.items.update_one({"_id": note["_id"]}, {"$set": change})
    project.items.delete_one({"_id": notes[7]["_id"]})
    assert counts(report_of(project)) == (0, 3, 2, 3, 0)
    assert await project.is_equal()
    assert {node.id for node in await project.nodes() if node.type == "Scene"} == {"scene"}
    project.items.update_one({"_id": notes[3]["_id"]}, {"$unset": {"canon": True}})
    assert counts(report_of(project)) == (1, 0, 0, 6, 0)


async def test_ids_of_every_kind_are_compared_in_one_order(project: FollowedProject) -> None:
    """Digits, capitals, letters beyond ASCII and beyond 16 bits, numbers, ids that read the same."""
    digits = "66f1a2b3c4d5e6f708192a3b"
    kept = [
        ObjectId(digits), ObjectId("f" * 24), "note-1", "NOTE-1", "note", "Z", "é", "e\u0301", "\uffee",
        "\U00010348", "\U0001f30a" * 16, "x" * 64, "a\x00b", "a b", "../a?b#c%2F&d", Int64(41), 7, 8.0, -3.0,
        Int64(2**62),
    ]  # fmt: skip
    others = [1.5, True, ObjectId(digits).binary, {"a": 1}, "y" * 65, datetime(2026, 1, 1, tzinfo=UTC), ""]
    for each in (*kept, *others):
        project.add(_id=each, content=f"A lamp called {each!r}.")
    project.add(_id=digits, content="The same digits as text.")
    assert counts(report_of(project)) == (len(kept), 0, 0, 0, 0)
    assert counts(report_of(project)) == (0, 0, 0, len(kept), 0)
    nodes = {node.id: node.content_hash for node in await project.nodes()}
    assert {"7", "8", "-3", "41", str(2**62), "\U00010348", digits} <= nodes.keys()
    for each in kept:
        project.items.delete_one({"_id": each})
    # The text of the same digits is a note of its own now.
    assert counts(report_of(project)) == (0, 1, len(kept) - 1, 0, 0)


@pytest.mark.parametrize("locale", ["de", "en_US"])
async def test_a_collection_of_another_order_is_compared_all_the_same(
    project: FollowedProject, locale: str
) -> None:
    """A collation of its own sorts letters of either case together; ids that are one to it cannot be two."""
    database = project.items.database
    database.create_collection(names.ITEMS_COLLECTION, collation={"locale": locale, "strength": 3})
    ids = ["b", "A", "a", "B", "ä", "Z", "z", "_", "1"]
    for each in ids:
        project.add(_id=each, content=f"A lamp called {each}.")
    assert counts(report_of(project)) == (len(ids), 0, 0, 0, 0)
    assert counts(report_of(project)) == (0, 0, 0, len(ids), 0)


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(project: FollowedProject) -> None:
    """As JSON and as a table, with ids to look at."""
    make_collection(project.items.database)
    note = project.add()
    stray = NodeIn(id="stray", type="GatherItem", content="A note of nobody.", project_id=project.project_id)
    await project.write_nodes(stray)
    report = report_of(project, "--dry-run")
    assert counts(report) == (1, 0, 1, 0, 0)
    assert report["dryRun"] is True
    assert report["ids"] == {"new": [str(note["_id"])], "deleted": ["stray"]}
    assert set(await project.seen()) == {"stray"}
    table = project.command("--dry-run", "--table").stdout
    assert "1  would be written, the brain had none" in table
    assert "deleted: stray" in table


async def test_without_the_collection_nothing_is_deleted_and_the_fix_is_named(
    project: FollowedProject,
) -> None:
    """A wrong server or a wrong project looks like a project whose notes are all gone."""
    assert counts(report_of(project)) == (0, 0, 0, 0, 0)
    stray = NodeIn(id="stray", type="GatherItem", content="A note.", project_id=project.project_id)
    await project.write_nodes(stray)
    refused = project.command()
    assert refused.returncode == 64
    assert "MONGODB_URI names the right server" in refused.stderr
    assert set(await project.seen()) == {"stray"}
    # Notes that people have all deleted leave an empty collection: that is followed.
    make_collection(project.items.database)
    assert counts(report_of(project)) == (0, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("environment", "exit_code", "says"),
    [
        ({"MONGODB_URI": ""}, 64, "MONGODB_URI"),
        ({"MONGODB_URI": "mongodb://user:hunter2@[::1"}, 64, "MONGODB_URI: it is malformed"),
        ({"BRAIN_SERVICE_API_KEY": "wrong"}, 64, "BRAIN_SERVICE_API_KEY: the brain refuses the key"),
        ({"BRAIN_SERVICE_BASE_URL": "http://[::1"}, 64, "BRAIN_SERVICE_BASE_URL"),
        ({"BRAIN_SERVICE_BASE_URL": f"http://{NOBODY}"}, 75, "see that BRAIN_SERVICE_BASE_URL is right"),
        (
            {"MONGODB_URI": f"mongodb://{NOBODY}", "GATHER_STORE_PATIENCE_S": "1"},
            75,
            "MongoDB is unavailable",
        ),
    ],
)
async def test_what_is_wrong_is_named_with_its_exit_code(
    project: FollowedProject, environment: dict[str, str], exit_code: int, says: str
) -> None:
    """64: mend it; 75: try again. No secret is shown."""
    project.add()
    done = project.command(**environment)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


async def test_a_sync_that_is_killed_is_gone_on_with_by_the_next(project: FollowedProject) -> None:
    """SIGKILL and SIGTERM in the middle: what was written is passed over, and nothing is lost or doubled."""
    many = 600  # of some length, so that the brain is still at work when the first are seen
    project.items.insert_many(
        person_note(project.project_id, content=f"Lamp {n} burns for ship {n * 7}. " * 10)
        for n in range(many)
    )
    for number, exit_code in ((signal.SIGKILL, -9), (signal.SIGTERM, 143)):
        # The brain may still be finishing what the one before had sent.
        known = project.count_nodes() + AT_ONCE * NODES_PER_BATCH_MAX
        process = project.start()
        await _until_more_nodes_than(project, known if number is signal.SIGTERM else 0)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == exit_code, err
    written = len(await project.seen())
    assert 0 < written < many
    report = report_of(project)
    assert counts(report) == (many - report["equal"], 0, 0, report["equal"], 0)
    assert report["equal"] >= written
    assert await project.is_equal()


async def _until_more_nodes_than(project: FollowedProject, before: int) -> None:
    for _ in range(2400):
        if project.count_nodes() > before:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("the sync writes nothing")


async def test_two_syncs_at_once_and_a_worker_beside_them_end_equal(project: FollowedProject) -> None:
    """Nothing that a worker writes meanwhile is deleted, though the sync read MongoDB before it was there."""
    project.items.insert_many(
        person_note(project.project_id, content=f"Lamp {n} of the pier.") for n in range(120)
    )
    written: list[str] = []

    async def work() -> None:
        for n in range(60):
            note = project.add(content=f"Boat {n} comes home.")
            read = note_of(note, project.project_id)
            assert isinstance(read, Note)
            await project.write_nodes(node_of(read))
            written.append(read.id)

    await asyncio.gather(project.sync(), project.sync(), work(), project.sync())
    assert set(written) <= (await project.seen()).keys()
    progress = await project.sync()
    assert progress.is_complete
    assert await project.is_equal()
    assert len(await project.seen()) == 180


async def test_a_late_worker_cannot_put_back_an_old_text_and_a_later_score_gets_through(
    project: FollowedProject,
) -> None:
    """The revision is the document's age: of the edit, of the score, whoever writes."""

    def read(document: dict[str, Any]) -> NodeIn:
        note = note_of(document, project.project_id)
        assert isinstance(note, Note)
        return node_of(note)

    metadata = AutomationMetadata(
        task_id="t", department="story", department_name="Story", iteration=1, model="m", run="r", run_uid="u"
    ).model_dump(by_alias=True, exclude_none=True)
    note = project.add(isAutomated=True, automationMetadata=metadata, lastUpdated=NOW)
    old = read(note)
    await project.write_nodes(old)
    edit = {"content": "A person's words.", "lastUpdated": NOW + timedelta(minutes=1)}
    project.items.update_one({"_id": note["_id"]}, {"$set": edit})
    await project.sync()
    await project.write_nodes(old)
    assert await project.is_equal()
    scored = {"automationMetadata.qualityScore": 81.5, "lastUpdated": NOW + timedelta(minutes=2)}
    project.items.update_one({"_id": note["_id"]}, {"$set": scored})
    await project.write_nodes(read(project.items.find_one({"_id": note["_id"]}) or {}))
    assert await project.is_equal()
    # A program that changes a note without its date: the sync replaces the node, and a late worker does not.
    project.items.update_one({"_id": note["_id"]}, {"$set": {"content": "Without a date."}})
    late = read({**note, **edit, "automationMetadata": metadata})
    await project.sync()
    await project.write_nodes(late)
    assert await project.is_equal()


async def test_a_node_of_the_highest_revision_is_replaced_too(project: FollowedProject) -> None:
    """Any program may have written it."""
    note = project.add()
    node = NodeIn(
        id=str(note["_id"]), type="GatherItem", content="Old.", project_id=project.project_id,
        revision=REVISION_MAX,
    )  # fmt: skip
    await project.write_nodes(node)
    assert counts(report_of(project)) == (0, 1, 0, 0, 0)
    assert await project.is_equal()


@pytest.mark.long
async def test_thousands_of_notes_are_compared_in_pages_of_either_side(project: FollowedProject) -> None:
    """More than a page of the brain and several of MongoDB; a second time nothing is written."""
    many = 1200
    project.items.insert_many(person_note(project.project_id, content=f"Lamp {n}.") for n in range(many))
    assert counts(report_of(project)) == (many, 0, 0, 0, 0)
    assert counts(report_of(project)) == (0, 0, 0, many, 0)


async def test_limits_are_waited_for_and_the_remedy_is_named(
    project: FollowedProject, neo4j_uri: str, embedding_model_dir: Path, tmp_path_factory: Any
) -> None:
    """A key of the default limits is slow, and says how to be faster."""
    folder = tmp_path_factory.mktemp("limited")
    service = brain_service(folder, neo4j_uri, embedding_model_dir)
    keys = folder / "keys.json"
    entries = json.loads(keys.read_text())
    entries[0]["limits"]["batch"] = {"per_minute": 20, "burst": 1}
    keys.write_text(json.dumps(entries))
    project.items.insert_many(person_note(project.project_id, content=f"Lamp {n}.") for n in range(150))
    with service.running() as brain:
        done = project.command(BRAIN_SERVICE_BASE_URL=brain.uri)
    assert done.returncode == 0, done.stderr
    assert "--limit batch=600/600" in done.stderr
    assert await project.is_equal()


def test_help_names_settings_and_exit_codes(project: FollowedProject) -> None:
    """All that is needed to call it."""
    text = " ".join(project.command("--help").stdout.split())
    for word in ("MONGODB_URI", "BRAIN_SERVICE_API_KEY", "--dry-run", "75", "143"):
        assert word in text
