"""`gather-worker score` as a user starts it, with a real brain and the demo model."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.rooms import BRAIN_KEY
from gather_worker.department.quality import WEIGHTS
from tests.evals.coverage_cases import departments
from tests.support.worker_harness import Services, WorkerHarness, run_document
from tests.support.workers.process_forks import ProcessForks

PROJECT_UNKNOWN = uuid.uuid4().hex[:24]
"""Drawn, since other tests share the brain."""
TIMEOUT_S = 60


class Command:
    """The command with one film's department and notes in files."""

    def __init__(self, harness: WorkerHarness, forks: ProcessForks, folder: Path) -> None:
        self.harness = harness
        self.forks = forks
        self.folder = folder
        known = departments("held_out")[1]
        self.notes = known.texts
        self.write("department.json", json.dumps({"slug": known.slug, "description": known.description}))
        self.write("notes.jsonl", "\n".join(json.dumps({"content": text}) for text in self.notes))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command on both files; it gets no setting of the stores."""
        files = ("--department", "department.json", "--items", "notes.jsonl")
        variables = {
            "PATH": os.environ["PATH"],
            "BRAIN_SERVICE_BASE_URL": self.harness.services.brain_uri,
            "BRAIN_SERVICE_API_KEY": BRAIN_KEY,
            "GATHER_SECRETS_DIR": str(self.folder / "none"),
            **environment,
        }
        return self.forks.run(["score", *files, *arguments], variables, TIMEOUT_S, self.folder)

    def report(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """Run it on the project's brain and return the JSON that it prints."""
        done = self.run("--project", self.harness.project_id, *arguments, **environment)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @property
    def model(self) -> dict[str, str]:
        """The environment that sets the demo model."""
        return {"GATHER_LLM_BASE_URL": f"{self.harness.services.model_uri}/v1"}


@pytest.fixture(scope="module")
def known(
    services: Services, forks: ProcessForks, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerHarness]:
    """A project that the brain knows, since a worker has worked on it."""
    document = run_document(uuid.uuid4().hex[:24], str(uuid.uuid4()))
    harness = WorkerHarness(services, tmp_path_factory.mktemp("known"), document, forks=forks)
    harness.run(0, 1)
    yield harness
    harness.stop()


@pytest.fixture
def command(known: WorkerHarness, forks: ProcessForks, tmp_path: Path) -> Command:
    """Files to score."""
    return Command(known, forks, tmp_path)


def assert_adds_up(report: dict[str, Any]) -> None:
    """The score is the weighted sum of its parts, up to rounding."""
    total = sum(part["score"] * part["weight"] for part in report["parts"].values())
    assert report["score"] == pytest.approx(total, abs=0.11)
    assert {name: part["weight"] for name, part in report["parts"].items()} == dict(WEIGHTS)


def test_the_brain_s_measures_are_printed_with_their_source(command: Command) -> None:
    """Without a key or an endpoint no model is asked; copies cost coherence and raise nothing."""
    whole = command.report()
    assert_adds_up(whole)
    assert {part["source"] for part in whole["parts"].values()} == {"brain"}
    assert whole["judge"] is None
    assert whole["items"] == {
        "scored": len(command.notes), "distinct": len(command.notes),
        "seenByCoverage": len(command.notes), "ofOtherDepartments": 0,
    }  # fmt: skip
    command.write("notes.jsonl", json.dumps([*command.notes, *(text.upper() for text in command.notes)]))
    copied = command.report()
    assert copied["items"]["distinct"] == len(command.notes)
    assert copied["parts"]["coherence"]["score"] < whole["parts"]["coherence"]["score"]
    assert all(copied["parts"][part]["score"] <= whole["parts"][part]["score"] for part in WEIGHTS)


def test_the_model_judges_where_one_is_set(command: Command) -> None:
    """Three readings, each with its reasons; --no-model leaves it out."""
    judged = command.report(GATHER_JUDGE_REPEATS="3", **command.model)
    assert_adds_up(judged)
    sources = {name: part["source"] for name, part in judged["parts"].items()}
    assert sources == {
        "coverage": "brain", "depth": "model", "coherence": "model", "actionability": "model"
    }  # fmt: skip
    assert len(judged["judge"]["verdicts"]) == judged["judge"]["asked"] == 3
    assert judged["judge"]["verdicts"][0]["depth"]["reason"]
    assert judged["judge"]["tokens"] > 0
    assert command.report("--no-model", **command.model)["judge"] is None


def test_more_notes_than_coverage_takes_are_scored(command: Command) -> None:
    """As a worker does: coverage sees the newest hundred."""
    notes = [f"{text} Take {number}." for number in range(15) for text in command.notes]
    command.write("notes.jsonl", "\n".join(json.dumps(note) for note in notes))
    report = command.report()
    assert_adds_up(report)
    assert (report["items"]["scored"], report["items"]["seenByCoverage"]) == (len(notes), 100)


def test_the_table_is_for_people(command: Command) -> None:
    """The same numbers."""
    report = command.report()
    done = command.run("--project", command.harness.project_id, "--table")
    lines = done.stdout.splitlines()
    assert lines[0].split() == [report["department"], f"{report['score']:.1f}"]
    assert [line.split()[0] for line in lines[1:5]] == list(WEIGHTS)


def test_what_cannot_be_measured_exits_75(command: Command) -> None:
    """A project that the brain does not know, or no brain: null, and a sentence for why."""
    unknown = command.run("--project", PROJECT_UNKNOWN)
    assert unknown.returncode == 75
    assert json.loads(unknown.stdout)["score"] is None
    assert "the brain has no notes of the project yet" in unknown.stderr
    away = command.run("--project", PROJECT_UNKNOWN, BRAIN_SERVICE_BASE_URL="http://127.0.0.1:9")
    assert away.returncode == 75
    assert "the brain is unavailable" in away.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--project", "x"], {}, "arguments: project"),
        ([], {}, "--project is needed"),
        (["--project", PROJECT_UNKNOWN, "--model"], {}, "set OPENROUTER_API_KEY or GATHER_LLM_BASE_URL"),
        (["--project", PROJECT_UNKNOWN], {"BRAIN_SERVICE_API_KEY": ""}, "BRAIN_SERVICE_API_KEY"),
        (["--project", PROJECT_UNKNOWN], {"GATHER_JUDGE_REPEATS": "2"}, "GATHER_JUDGE_REPEATS"),
        (["--departments"], {}, "unrecognized arguments"),
    ],
    ids=["project", "no project", "no model", "no key", "even repeats", "unknown option"],
)
def test_what_is_wrong_is_said_in_a_sentence(
    command: Command, arguments: list[str], environment: dict[str, str], expected: str
) -> None:
    """Exit code 64, nothing on standard output, no trace, no secret."""
    done = command.run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (64, "")
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert BRAIN_KEY not in done.stderr


def test_help_has_an_example(command: Command) -> None:
    """And the exit codes."""
    done = command.run("--help")
    assert done.returncode == 0
    assert "Example: gather-worker score" in done.stdout
