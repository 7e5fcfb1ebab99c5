"""Runs while people edit and delete notes: the brain follows MongoDB, and what is gone counts no longer."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dev.waiting import wait_for
from gather_contracts.brain import NodeIn
from tests.support.application.followed_project import FollowedProject
from tests.support.application_documents import every_form, make_collection
from tests.support.injectable_model import InjectableModel, fenced, served
from tests.support.network.gate import Gate
from tests.support.worker_harness import WorkerHarness
from tests.support.workers.process_forks import ProcessForks

BY_HAND = "Marta carries her father's ledger, and nobody may read it before the tide has gone out."
REWRITTEN = "Marta burns her father's ledger before the tide has gone out."


@pytest.fixture
def project(harness: WorkerHarness, forks: ProcessForks, tmp_path: Path) -> Iterator[FollowedProject]:
    """The run's project, in the application's collection."""
    made = FollowedProject(harness.services, tmp_path, forks, harness.project_id)
    make_collection(made.items.database, level="off")
    yield made
    made.close()


def is_equal(project: FollowedProject) -> bool:
    """Return whether the brain has what MongoDB has."""
    return asyncio.run(project.is_equal())


def test_edits_and_deletions_between_departments_are_followed(
    harness: WorkerHarness, project: FollowedProject
) -> None:
    """People's notes of every form and Gather's own; at the run's end both stores are equal."""
    project.items.insert_many(every_form(harness.project_id))
    assert harness.run(0, 1).exit_code == 0
    people = [note["_id"] for note in project.items.find({"isAutomated": {"$ne": True}})]
    ours = [note["_id"] for note in project.items.find({"isAutomated": True})]
    assert {str(each) for each in people} <= harness.node_ids()
    now = datetime.now(UTC)
    edit = {"$set": {"content": REWRITTEN, "lastUpdated": now}}
    project.items.update_many({"_id": {"$in": [people[0], ours[0]]}}, edit)
    project.items.delete_many({"_id": {"$in": [people[1], ours[1]]}})
    project.items.update_one({"_id": ours[2]}, {"$set": {"canon": False}})
    added = project.add(content=BY_HAND)
    ended = harness.run(1, 1)
    assert ended.exit_code == 0, ended.messages()
    assert is_equal(project)
    gone = {str(each) for each in (people[1], ours[1], ours[2])}
    assert not gone & harness.node_ids()
    assert str(added["_id"]) in harness.node_ids()
    assert "the brain follows MongoDB: 1 new, 2 changed, 3 deleted" in ended.messages()


def test_a_note_deleted_within_a_department_stands_in_no_further_prompt_and_no_score(
    harness: WorkerHarness, project: FollowedProject
) -> None:
    """One that is edited stands there with its new words."""
    kept = project.add(content=BY_HAND)
    gone = project.add(content="A note that somebody thinks better of.", department="story")
    with served(InjectableModel()) as model:
        harness.services = type(harness.services)(**{**vars(harness.services), "model_uri": model.uri})
        worker = harness.start(0, 6)
        wait_for("the first prompt", lambda: bool(_shown(model)), 60)
        project.items.delete_one({"_id": gone["_id"]})
        edit = {"$set": {"content": REWRITTEN, "lastUpdated": datetime.now(UTC)}}
        project.items.update_one({"_id": kept["_id"]}, edit)
        ended = worker.wait()
        assert ended.exit_code == 0, ended.messages()
        first, *_, last = [json.dumps(data, ensure_ascii=False) for data in _shown(model)]
    assert BY_HAND in first
    assert "thinks better of" in first
    assert REWRITTEN in last
    assert "thinks better of" not in last
    assert "1 notes are deleted, emptied or not canon any more: they count no longer" in ended.messages()


def _shown(model: InjectableModel) -> list[dict[str, Any]]:
    """Return the data of each request for notes."""
    data = [fenced(body["messages"]) for body in model.requests]
    return [each for each in data if "related_notes" in each]


def test_a_department_ends_well_though_the_brain_cannot_be_followed(
    harness: WorkerHarness, project: FollowedProject, brain_gate: Gate
) -> None:
    """Nothing optional is fatal; what was left is done by the next department."""
    harness.services = replace(harness.services, brain_uri=brain_gate.uri)
    project.add(content=BY_HAND)
    with brain_gate.absent():
        worker = harness.start(0, 1)
        wait_for("notes in MongoDB", lambda: len(harness.items()) > 1, 60)
    assert worker.wait().exit_code == 0
    stray = NodeIn(id="stray", type="GatherItem", content="A note.", project_id=harness.project_id)
    asyncio.run(project.write_nodes(stray))
    assert harness.run(1, 1).exit_code == 0
    assert is_equal(project)


def test_without_the_collection_a_run_deletes_nothing_and_goes_on(
    new_harness: Callable[..., WorkerHarness], forks: ProcessForks, tmp_path: Path
) -> None:
    """A wrong server is said in the log."""
    harness = new_harness()
    project = FollowedProject(harness.services, tmp_path, forks, harness.project_id)
    stray = NodeIn(id="stray", type="GatherItem", content="A note.", project_id=harness.project_id)
    asyncio.run(project.write_nodes(stray))
    ended = harness.run(0, 1)
    assert ended.exit_code == 0
    assert "stray" in harness.node_ids()
    assert any("not even a collection" in message for message in ended.messages())
    # Now there is one.
    assert harness.run(1, 1).exit_code == 0
    assert is_equal(project)
    project.close()
