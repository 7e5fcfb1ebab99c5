"""The commands against a real API server: what is made, what is shown, and how each ends."""

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.service_process import script
from dev.waiting import wait_for
from gather_cli.commands import watch_run
from gather_cli.views.progress_lines import news_of
from gather_contracts import names
from tests.contract.cli.conftest import Gather
from tests.contract.cli.played_runs import AT_WORK, PROJECT, SUBMIT, ended, is_there, soon
from tests.support.installation.installation import Installation, at, container, department
from tests.support.kubernetes.control_plane import ADMIN, kubeconfig
from tests.support.network.connections import Connections, addresses_in

# --- submit


def test_options_become_a_run(gather: Gather, installation: Installation) -> None:
    """With what was given, and the API server's defaults for the rest."""
    said = gather(
        *SUBMIT,
        "-d",
        "story,character",
        "-d",
        "visual",
        "--max-cost",
        "2.5",
        "--no-evaluation",
        "--stop-on-failure",
    )
    assert (said.code, said.out) == (0, "my-film submitted\n"), said.err
    spec = installation.get(names.KIND, "my-film")["spec"]
    assert spec["departments"] == ["story", "character", "visual"]
    assert spec["budget"] == {"maxCostUSD": 2.5}
    assert (spec["enableAutoEvaluation"], spec["onDepartmentFailure"], spec["maxIterations"]) == (
        False,
        "Stop",
        50,
    )


def test_a_file_is_taken_with_options_over_it(
    gather: Gather, installation: Installation, tmp_path: Path
) -> None:
    """YAML or JSON; labels stay, and the budget is joined field by field."""
    run = {
        "apiVersion": "gather.ft.tc/v1alpha1",
        "kind": "GatherRun",
        "metadata": {"name": "of-file", "labels": {"team": "film"}},
        "spec": {"projectId": PROJECT, "userId": "u", "budget": {"maxCostUSD": 1, "maxTokens": 5000}},
    }
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(run), "utf-8")
    assert gather("submit", "-f", str(file), "--max-cost", "3").code == 0
    made = installation.get(names.KIND, "of-file")
    assert made["spec"]["budget"] == {"maxCostUSD": 3, "maxTokens": 5000}
    assert made["metadata"]["labels"] == {"team": "film"}


def test_a_dry_run_is_checked_by_the_server_and_makes_nothing(
    gather: Gather, installation: Installation
) -> None:
    """With the defaults that it would have."""
    said = gather(*SUBMIT, "--dry-run", "server", "-o", "json")
    assert json.loads(said.out)["spec"]["maxIterations"] == 50
    wrong = gather(*SUBMIT, "--dry-run", "server", "--webhook-url", "http://plain.example")
    assert wrong.code == 7
    assert "webhookUrl" in wrong.err
    assert not is_there(installation, "my-film")


def test_a_second_run_of_that_name_is_refused_with_what_to_do(
    gather: Gather, installation: Installation
) -> None:
    """And the first one stays."""
    installation.run("my-film")
    said = gather(*SUBMIT)
    assert said.code == 7
    assert "take another name, or run it again: gather rerun my-film" in said.err


def test_a_run_without_a_name_gets_one(gather: Gather) -> None:
    """Whose name -o name gives to the next command."""
    said = gather("submit", "--project", PROJECT, "--user", "u", "-o", "name")
    assert said.out.startswith("gatherrun.gather.ft.tc/gather-192a3b-")
    assert gather("status", said.out.strip(), "-o", "name").out == said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("submit", "--user", "u"), "give --project: 24 hexadecimal digits"),
        (("submit", "--project", PROJECT), "give --user (or GATHER_USER"),
        (("submit", "-f", "/nowhere.yaml"), "/nowhere.yaml: No such file"),
        (
            ("submit", "--dry-run", "maybe", "--project", PROJECT, "--user", "u"),
            "--dry-run is client or server",
        ),
        (("submit", "--max-iterations", "0"), "0 is not in the range: 1 to 500"),
    ],
    ids=["project", "user", "file", "dry run", "range"],
)
def test_what_is_missing_is_asked_for(gather: Gather, arguments: tuple[str, ...], says: str) -> None:
    """In one line, with exit code 2."""
    said = gather(*arguments)
    assert said.code == 2
    assert says in said.err


def test_submit_waits_and_ends_as_the_run_does(gather: Gather, installation: Installation) -> None:
    """0, 1 and 3 are documented; a run that is deleted meanwhile counts as cancelled."""
    for statuses, code in (
        ([AT_WORK, ended("Succeeded")], 0),
        ([ended("Failed", reason="DepartmentsFailed")], 1),
        ([ended("Cancelled")], 3),
        ([AT_WORK, None], 3),
    ):
        player = soon(installation, statuses)
        said = gather(*SUBMIT, "--wait", "--timeout", "30")
        player.join()
        assert said.code == code, said.err
        installation.delete(names.KIND, "my-film")


# --- status, list, watch


def test_status_shows_what_waits_and_what_helps(gather: Gather, installation: Installation) -> None:
    """The run, its departments, the reason and its line of the runbook."""
    installation.run("my-film", AT_WORK, budget={"maxCostUSD": 2})
    said = gather("status", "my-film")
    first, second, *rest = said.out.splitlines()
    assert first.startswith("my-film  Running  0/2 departments  12 notes  quality 63.0  $0.42 of $2.00  ")
    assert f"project {PROJECT}, user user-123, namespace {installation.namespace}" in second
    assert "▸ story" in rest[0]
    assert "63.0 of 80  12 notes  3 of 9 iterations  $0.42" in rest[0]
    assert rest[1].strip("│ ") == "Unschedulable: 0/3 nodes are available"
    assert rest[2].strip("│ ").startswith("→ Add nodes, or change `worker.nodeSelector`")
    assert "\033[" not in said.out


def test_attempts_are_shown_from_the_pods(gather: Gather, installation: Installation) -> None:
    """Each with how it ended."""
    run = installation.run("my-film", AT_WORK)
    labels = {
        names.LABEL_RUN_UID: run["metadata"]["uid"],
        names.LABEL_DEPARTMENT: "story",
        names.LABEL_NAME: names.WORKER_NAME,
    }
    failed = {
        "phase": "Failed",
        "containerStatuses": [
            container("worker", ended={"exitCode": 137, "reason": "OOMKilled", "finishedAt": at()})
        ],
    }
    installation.pod("worker", failed, name="story-1", labels=labels)
    installation.pod(
        "worker", {"containerStatuses": [container("worker", running=True)]}, name="story-2", labels=labels
    )
    said = gather("status", "my-film").out
    assert "attempt 1  story-1  Failed  exit 137 OOMKilled" in said
    assert "attempt 2  story-2  Running" in said


def test_a_name_that_is_not_there_brings_those_that_are_like_it(
    gather: Gather, installation: Installation
) -> None:
    """With exit code 4, for each command that takes one."""
    installation.run("the-salt-road")
    for command in ("status", "watch", "logs", "cancel", "rerun"):
        said = gather(command, "the-salt-raod")
        assert said.code == 4
        assert "did you mean the-salt-road?" in said.err


def test_list_filters_and_has_machines_forms(gather: Gather, installation: Installation) -> None:
    """As a table, as a List, as names."""
    installation.run("old", ended("Failed"))
    installation.run("new", AT_WORK)
    table = gather("list").out.splitlines()
    assert table[0].split()[:4] == ["NAME", "PROJECT", "PHASE", "DEPARTMENT"]
    assert [line.split()[0] for line in table[1:]] == ["new", "old"] or [
        line.split()[0] for line in table[1:]
    ] == ["old", "new"]
    assert gather("list", "--active", "-o", "name").out == "gatherrun.gather.ft.tc/new\n"
    assert [
        r["metadata"]["name"]
        for r in json.loads(gather("list", "--phase", "failed", "-o", "json").out)["items"]
    ] == ["old"]
    nothing = gather("list", "--project", "0" * 24)
    assert (nothing.code, nothing.out) == (0, "")
    assert "No runs in namespace" in nothing.err


def test_watch_tells_each_change_and_ends_with_the_run(
    gather: Gather, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In lines where no terminal is."""
    installation.run("my-film", AT_WORK)
    more = {
        **AT_WORK,
        "departments": [{**AT_WORK["departments"][0], "iterations": 4, "reason": "", "message": ""}],
    }
    players: list[threading.Thread] = []

    def news(before: Any, run: Any, now: Any) -> Any:
        if not before:  # the first state has been read
            players.append(soon(installation, [more, ended("Succeeded")]))
        return news_of(before, run, now)

    monkeypatch.setattr(watch_run, "news_of", news)
    said = gather("watch", "my-film", "--timeout", "30")
    players[0].join()
    assert said.code == 0, said.err
    lines = [line.split(" ", 1)[1] for line in said.out.splitlines()]
    assert lines[0] == "story: Running"
    assert any(
        line.startswith("story: Unschedulable: 0/3 nodes are available -> Add nodes") for line in lines
    )
    assert "story: iteration 4, 63.0 of 80, 12 notes, $0.42" in lines
    assert lines[-1].startswith("my-film: Succeeded")


def test_a_time_that_is_over_has_its_own_code(gather: Gather, installation: Installation) -> None:
    """As timeout(1) has it."""
    installation.run("my-film", AT_WORK)
    said = gather("status", "my-film", "--wait", "--timeout", "0.5")
    assert said.code == 124
    assert "it goes on: gather watch my-film" in said.err


# --- cancel, rerun


def test_cancel_is_done_once_and_for_all(gather: Gather, installation: Installation) -> None:
    """Again is no error; of several each is tried."""
    installation.run("one", AT_WORK)
    installation.run("two", ended("Succeeded"))
    said = gather("cancel", "one", "none", "two")
    assert said.code == 4
    assert said.out == "one is being cancelled\ntwo has ended already: Succeeded\n"
    assert installation.get(names.KIND, "one")["spec"]["cancel"] is True
    assert gather("cancel", "one").code == 0


def test_rerun_takes_the_old_spec_and_the_next_number(gather: Gather, installation: Installation) -> None:
    """Without what stopped the old one; --unfinished takes what did not succeed."""
    departments = [
        department("story", "Succeeded"),
        department("visual", "Failed"),
        department("audio", "Skipped"),
    ]
    installation.run("my-film", ended("Failed", departments=departments), focus="the harbour", cancel=True)
    assert gather("rerun", "my-film", "--max-iterations", "9").out == "my-film-2 submitted\n"
    assert gather("rerun", "my-film", "--unfinished").out == "my-film-3 submitted\n"
    second, third = (installation.get(names.KIND, f"my-film-{n}")["spec"] for n in (2, 3))
    assert (second["focus"], second["maxIterations"], second["cancel"]) == ("the harbour", 9, False)
    assert third["departments"] == ["visual", "audio"]


# --- logs


def _workers(installation: Installation) -> None:
    run = installation.run("my-film", AT_WORK)
    for slug, pod in (("story", "story-1"), ("visual", "visual-1")):
        labels = {names.LABEL_RUN_UID: run["metadata"]["uid"], names.LABEL_DEPARTMENT: slug}
        lines = [
            json.dumps(
                {"timestamp": "2026-05-01T12:00:01Z", "level": "INFO", "message": f"{slug} {n}", "n": n}
            )
            for n in range(3)
        ]
        installation.pod(
            "worker",
            {"containerStatuses": [container("worker", running=True)]},
            name=pod,
            labels=labels,
            lines=lines,
        )


def test_logs_are_told_department_after_department(gather: Gather, installation: Installation) -> None:
    """Raw where no terminal is, with the department before each line where there are several."""
    _workers(installation)
    lines = gather("logs", "my-film", "--tail", "2").out.splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["story", "story", "visual", "visual"]
    assert json.loads(lines[0].split(" | ")[1])["message"] == "story 1"
    pretty = gather("logs", "my-film", "-d", "visual", "--pretty").out.splitlines()
    assert pretty[0] == "12:00:01 INFO    visual 0  n=0"


def test_following_logs_goes_on_to_the_runs_end_over_a_break(
    gather: Gather, installation: Installation
) -> None:
    """A stream that is cut off goes on where it was, without doubles."""
    _workers(installation)
    key = (installation.namespace, "story-1")
    installation.kubelet.cut.add(key)

    def play() -> None:
        wait_for("the stream to be cut", lambda: key not in installation.kubelet.cut, 20)
        installation.kubelet.lines[key].append("the last one")
        installation.kubelet.ended |= {key, (installation.namespace, "visual-1")}
        for pod in ("story-1", "visual-1"):
            done = container("worker", ended={"exitCode": 0, "finishedAt": at()})
            installation.status("Pod", pod, {"phase": "Succeeded", "containerStatuses": [done]})
        installation.status(names.KIND, "my-film", ended("Succeeded"))

    player = threading.Thread(target=play)
    player.start()
    said = gather("logs", "my-film", "-f", "-d", "story", "--no-prefix")
    player.join()
    assert said.code == 0, said.err
    shown = [line if "{" not in line else json.loads(line)["message"] for line in said.out.splitlines()]
    assert shown == ["story 0", "story 1", "story 2", "the last one"]


def test_logs_that_are_not_there_yet_say_where_to_look(gather: Gather, installation: Installation) -> None:
    """No worker has started."""
    installation.run("my-film", {"phase": "Pending"})
    said = gather("logs", "my-film")
    assert (said.code, said.out) == (0, "")
    assert "gather status my-film says why" in said.err


# --- who may not, and what is not there


def test_who_may_not_is_told_the_right_that_is_missing(gather: Gather) -> None:
    """In one line, with exit code 5."""
    said = gather("list", user="viewer")
    assert said.code == 5
    assert 'User "viewer" cannot list resource "gatherruns"' in said.err
    assert "ask for a Role with that right" in said.err
    assert len(said.err.splitlines()) == 1


def test_version_names_the_release(gather: Gather) -> None:
    """Beside the program's own."""
    assert gather("version").out.splitlines()[1:] == ["release gather: 0.1.0"]


def test_what_is_for_machines_is_nothing_else(gather: Gather, installation: Installation) -> None:
    """JSON of a run that is watched is one object a line, and the notice goes to stderr."""
    player = soon(installation, [AT_WORK, ended("Succeeded")])
    said = gather(*SUBMIT, "-o", "json", "--watch", "--timeout", "30")
    player.join()
    states = [json.loads(line) for line in said.out.splitlines()]
    assert states[-1]["status"]["phase"] == "Succeeded"
    assert said.code == 0
    assert "Watch it" in gather("submit", "other", "--project", PROJECT, "--user", "u").err


def test_a_flag_goes_before_environment_and_context(
    gather: Gather, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the namespace."""
    installation.run("mine", AT_WORK)
    monkeypatch.setenv("GATHER_NAMESPACE", "elsewhere")
    assert gather("list", "-o", "name").out == "gatherrun.gather.ft.tc/mine\n"


# --- what it connects to


def test_the_program_connects_to_the_api_server_alone(
    installation: Installation, connections: Connections, tmp_path: Path
) -> None:
    """Nothing of it looks for a newer version, or counts its users."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environment["KUBECONFIG"] = str(kubeconfig(installation.folder, ADMIN))
    command = connections.recorded([script("gather"), "list", "-n", installation.namespace])
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert connections.of(process.pid) == addresses_in([installation.server])
