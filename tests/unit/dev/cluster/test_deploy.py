"""The commands that install Gather, and what the demo shows, without a cluster."""

import json
from io import StringIO

import pytest
from rich.console import Console

from dev.cluster import show_run
from dev.cluster.deploy import helm_install_command, namespace_manifest
from dev.cluster.show_run import departments_table, progress_line
from dev.paths import ROOT
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import (
    DepartmentStatus,
    GatherRun,
    GatherRunSpec,
    GatherRunStatus,
    ObjectMeta,
)

RUN = GatherRun(
    metadata=ObjectMeta(name="film", namespace="gather", uid="u"),
    spec=GatherRunSpec(project_id="66f1a2b3c4d5e6f708192a3b", user_id="someone"),
    status=GatherRunStatus(
        phase=RunPhase.RUNNING,
        progress="1/2",
        current_department="sound",
        items_created=31,
        quality_score=82.45,
        departments=[
            DepartmentStatus(slug="story", name="Story", phase=DepartmentPhase.SUCCEEDED, items_created=31)
        ],
    ),
)


def test_installing_again_upgrades_and_waits() -> None:
    """`make demo` is repeated at will; it returns only when the pods are ready."""
    command = helm_install_command(
        ["helm"], "gather", "film", {"brain.image.tag": "123", "crds.enabled": "false"}
    )
    assert command[:4] == ["helm", "upgrade", "--install", "gather"]
    assert "--wait" in command
    assert command[command.index("--namespace") + 1] == "film"


def test_image_tags_stay_strings() -> None:
    """Helm would read a tag of digits as a number."""
    command = helm_install_command(["helm"], "gather", "film", {"brain.image.tag": "123"})
    assert command[-2:] == ["--set-string", "brain.image.tag=123"]


def test_the_namespace_admits_only_restricted_pods() -> None:
    """A pod that needs more than the restricted profile is refused by the API server."""
    labels = json.loads(namespace_manifest("film"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("phase", "is_made_again"), [("", False), ("Running", False), ("Failed", True), ("Succeeded", True)]
)
def test_the_demo_s_run_is_made_again_once_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, phase: str, is_made_again: bool
) -> None:
    """An ended run stays as it is when it is applied again; one that is at work is followed."""
    asked: list[list[str]] = []

    def answer(command: list[str], **_: object) -> str:
        asked.append(command)
        return phase

    monkeypatch.setattr(show_run, "output_of", answer)
    said: list[str] = []
    example = ROOT / "examples" / "gatherrun.yaml"
    assert show_run.apply_example(["kubectl"], "film", example, said.append) == "the-salt-road"
    verbs = [command[3] for command in asked]
    assert verbs == (["get", "delete", "apply"] if is_made_again else ["get", "apply"])
    assert bool(said) is is_made_again


def test_the_progress_line_says_where_the_run_is() -> None:
    """One line a change, where there is no terminal."""
    assert progress_line(RUN).split() == [
        "Running",
        "1/2",
        "sound",
        "iterations",
        "0",
        "items",
        "31",
        "quality",
        "82.5",
    ]


def test_the_table_has_a_row_for_each_department() -> None:
    """Names, counts and scores as the status has them."""
    text = StringIO()
    Console(file=text, width=160).print(departments_table(RUN))
    assert "Story" in text.getvalue()
    assert "Succeeded" in text.getvalue()
