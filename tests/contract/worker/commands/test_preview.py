"""`gather-worker preview` beside real stores: what it shows is what a run would do; nothing is written."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pymongo
import pytest

from gather_contracts import names
from gather_contracts.instructions import Instructions
from gather_contracts.run_document import encode_run_document
from tests.support.application.check_world import PASSWORD
from tests.support.injectable_model import InjectableModel, fenced, served
from tests.support.store_contents import store_contents
from tests.support.worker_harness import Services, WorkerHarness
from tests.support.workers.process_forks import ProcessForks

NewHarness = Callable[..., WorkerHarness]
Client = pymongo.MongoClient[dict[str, Any]]
TIMEOUT_S: Final = 60
AWAY: Final = "mongodb://127.0.0.1:9/?directConnection=true"
SAID: Final = Instructions(text="Name the page.", examples=("Mara burns the map on page 31.",))


class Preview:
    """The command with a run's document in a file."""

    def __init__(self, harness: WorkerHarness, forks: ProcessForks, folder: Path) -> None:
        self.harness = harness
        self.forks = forks
        self.folder = folder

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it as a pod of the run would be started, with every setting and secret of one."""
        (self.folder / "run.json").write_text(encode_run_document(self.harness.document), encoding="utf-8")
        services = self.harness.services
        variables = {
            "PATH": os.environ["PATH"], "GATHER_SECRETS_DIR": str(self.folder / "none"),
            **services.secrets(), **services.environment(), **environment,
        }  # fmt: skip
        return self.forks.run(["preview", *arguments], variables, TIMEOUT_S, self.folder)

    def report(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """Run it and return the JSON that it prints."""
        done = self.run("--run-file", "run.json", *arguments, **environment)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def preview(
    new_harness: NewHarness, forks: ProcessForks, mongodb_with_users: Client, tmp_path: Path
) -> Preview:
    """A project in which a first department has worked; from now on MongoDB may only be read."""
    harness = new_harness()
    host, port = mongodb_with_users.address or ("", 0)

    def at(user: str) -> Services:
        uri = f"mongodb://{user}:{PASSWORD}@{host}:{port}/?directConnection=true&authSource=admin"
        return replace(harness.services, mongodb_uri=uri)

    first, second = harness.document.departments
    told = second.model_copy(update={"instructions": SAID})
    harness.document = harness.document.model_copy(update={"departments": [first, told]})
    harness.services = at("gather")
    assert harness.run(0, 1).exit_code == 0
    harness.services = at("reader")
    return Preview(harness, forks, tmp_path)


def by_hand(client: Client, project: str, content: str) -> None:
    """Write a note as a person."""
    notes = client[names.gather_database(project)][names.ITEMS_COLLECTION]
    notes.insert_one({"content": content, "projectId": project, "isAutomated": False})


def test_a_preview_writes_nothing_and_says_what_a_run_would_do(
    preview: Preview, mongodb_with_users: Client
) -> None:
    """In MongoDB, Neo4j and Redis everything stays as it is; the model that copies a note is seen through."""
    harness = preview.harness
    saved = [item["content"] for item in harness_items(mongodb_with_users, harness.project_id)]
    notes = [{"content": saved[0], "summary": "An old one.", "context": "c"}]
    notes += [{"content": SAID.examples[0], "summary": "The example.", "context": "c"}]
    notes += [
        {
            "content": f"On page {n} Mara counts {n} lamps and the {thing} goes out.",
            "summary": thing,
            "context": "c",
        }
        for n, thing in enumerate(("harbour light", "red lantern", "stove", "radio"), start=11)
    ]
    with served(InjectableModel(answers=[json.dumps({"items": notes})])) as model:
        harness.services = replace(harness.services, model_uri=model.uri)
        before = store_contents(harness.services, mongodb_with_users)
        report = preview.report("--department", "character", "--show-prompt")
        assert store_contents(harness.services, mongodb_with_users) == before
    assert (preview.folder / "run.json").is_file()
    assert sorted(path.name for path in preview.folder.iterdir() if path.is_file()) == ["run.json"]
    repeats = [note["repeats"] for note in report["notes"]]
    assert repeats[0] == {"text": saved[0], "of": "saved note", "cosine": None, "decidedBy": "equal words"}
    assert repeats[1] == {
        "text": SAID.examples[0],
        "of": "example",
        "cosine": None,
        "decidedBy": "equal words",
    }
    assert repeats[2:] == [None] * 4
    assert report["quality"]["score"] > 0
    assert report["quality"]["scored"] == 4
    assert report["context"] == {
        "notesFrom": "MongoDB", "notes": len(saved), "brain": True, "instructions": True, "examples": 1
    }  # fmt: skip
    assert report["cost"]["requests"] == len(model.requests)
    assert report["prompt"]["messages"] == model.requests[0]["messages"]
    shown = fenced(model.requests[0]["messages"])
    assert (shown["department_guidelines"], shown["example_notes"]) == ([SAID.text], list(SAID.examples))
    assert shown["earlier_departments"]["story"]


def harness_items(client: Client, project: str) -> list[dict[str, Any]]:
    """Return the project's notes, read by the administrator."""
    return list(client[names.gather_database(project)][names.ITEMS_COLLECTION].find())


def test_the_prompt_is_that_of_the_run_itself(preview: Preview, mongodb_with_users: Client) -> None:
    """Word for word; it is shown without a model, and costs nothing."""
    by_hand(mongodb_with_users, preview.harness.project_id, "Mara never lies, but she leaves things out.")
    report = preview.report("--department", "character", "--no-model", "--show-prompt")
    assert (report["notes"], report["quality"], report["cost"]["usd"]) == (None, None, 0)
    with served(InjectableModel()) as model:
        harness = preview.harness
        writer = harness.services.mongodb_uri.replace("reader:", "gather:")
        harness.services = replace(harness.services, mongodb_uri=writer, model_uri=model.uri)
        assert harness.run(1, 1).exit_code == 0
    assert model.requests[0]["messages"] == report["prompt"]["messages"]


def test_a_table_for_people_without_any_store(
    harness: WorkerHarness, forks: ProcessForks, tmp_path: Path
) -> None:
    """From files alone; stores that are unavailable are a warning, and cost seconds."""
    preview = Preview(harness, forks, tmp_path)
    department = {"slug": "sound", "description": "Handles ambience", "gatherInstructions": "Name the reel."}
    (preview.folder / "sound.json").write_text(json.dumps(department), encoding="utf-8")
    (preview.folder / "notes.json").write_text('["The mill is silent after the storm."]', encoding="utf-8")
    files = ("--department-file", "sound.json", "--notes", "notes.json", "--offline", "--table")
    done = preview.run(*files, MONGODB_URI="", BRAIN_SERVICE_BASE_URL="", REDIS_URL="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("sound")
    assert "instructions" in done.stdout.splitlines()[1]
    assert "1 notes of the project (file), without the brain" in done.stdout
    assert "quality  not measurable" in done.stdout
    assert done.stdout.endswith("nothing was written\n")
    away = preview.report(
        "--department", "story", "--no-model", MONGODB_URI=AWAY, BRAIN_SERVICE_BASE_URL="http://127.0.0.1:9"
    )
    assert away["context"] | {"notes": 0, "notesFrom": "none", "brain": False} == away["context"]
