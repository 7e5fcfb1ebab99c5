"""The demo with a real model: what is asked for, and that its key is seen nowhere."""

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cli import deploy
from dev.cluster import real_model, show_run
from dev.cluster.deploy import Tools, helm_install_command
from dev.cluster.real_model import RealModel, read_model, run_manifest, secret_manifest, take_model
from dev.cluster.show_run import DemoError, cost_line, failure_text
from dev.cluster.way_out import WayOut
from dev.errors import MachineError
from dev.paths import ROOT
from dev.progress import Reporter
from gather_contracts.reasons import RunPhase
from gather_contracts.resource import DepartmentStatus, GatherRun, GatherRunStatus, parse_run
from gather_demo.languages import Language

PRIVATE = "sk-or-v1-not-to-be-seen"
MODEL = RealModel("vendor/name", "https://models.example/v1", 0.5, PRIVATE)
WORKER = {
    "metadata": {"name": "gather-backing-worker", "uid": "1", "labels": {"app": "x"}},
    "data": {"MONGODB_URI": "bQ==", "OPENROUTER_API_KEY": "ZGVtbw=="},
}


def test_a_missing_key_is_said_with_the_way_to_one() -> None:
    with pytest.raises(
        MachineError, match=r"export OPENROUTER_API_KEY=….* or name another endpoint with GATH"
    ):
        read_model("vendor/name", 0.5, {})


def test_a_missing_key_is_said_before_anything_is_installed(tmp_path: Path) -> None:
    """And together with whatever else is missing, by a Python without packages."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "dev.cluster.preflight", "--model", "vendor/name"],
        cwd=ROOT, env={"GATHER_CACHE": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "MODEL=vendor/name needs a key: export OPENROUTER_API_KEY=" in done.stderr


def test_another_endpoint_may_want_no_key() -> None:
    model = read_model("llama", 0.5, {"GATHER_LLM_BASE_URL": "http://localhost:11434/v1"})
    assert (model.url, model.key, model.host) == ("http://localhost:11434/v1", "", "localhost")


@pytest.mark.parametrize(
    "url",
    [
        "https://user:word@models.example/v1",
        "https://models.example/v1?api-key=word",
        "ftp://user:word@x/v1",
        "models.example",
        "ftp://x/v1",
    ],
)
def test_an_address_with_more_than_an_address_in_it_is_refused(url: str) -> None:
    """It stands in the release's values, where everybody sees it."""
    with pytest.raises(MachineError, match="GATHER_LLM_BASE_URL") as caught:
        read_model("vendor/name", 0.5, {"GATHER_LLM_BASE_URL": url, "OPENROUTER_API_KEY": "k"})
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("cap_usd", [0, -1, 1000, float("nan")])
def test_a_cap_that_is_none_is_refused(cap_usd: float) -> None:
    with pytest.raises(MachineError, match="MAX_COST="):
        read_model("vendor/name", cap_usd, {"OPENROUTER_API_KEY": "k"})


def test_the_key_is_taken_out_of_the_environment_of_what_we_start() -> None:
    environment = {"OPENROUTER_API_KEY": PRIVATE, "PATH": "/bin"}
    model = take_model("vendor/name", 0.5, environment)
    assert model.key == PRIVATE
    assert environment == {"PATH": "/bin"}
    assert PRIVATE not in repr(model)


def test_the_workers_secret_gets_the_key_or_none() -> None:
    made = json.loads(secret_manifest(WORKER, MODEL))
    assert made["metadata"] == {"name": "gather-demo-model", "labels": {"app": "x"}}
    assert base64.b64decode(made["data"]["OPENROUTER_API_KEY"]).decode() == PRIVATE
    assert made["data"]["MONGODB_URI"] == "bQ=="
    without = json.loads(secret_manifest(WORKER, RealModel("llama", "http://x/v1")))
    assert "OPENROUTER_API_KEY" not in without["data"]


def test_the_run_is_one_department_within_the_cap_under_a_new_name() -> None:
    example = yaml.safe_load(deploy.EXAMPLES[Language.EN].read_text(encoding="utf-8"))
    made = json.loads(run_manifest(example, MODEL))
    assert made["metadata"] == {"generateName": "the-salt-road-"}
    run = parse_run({**made, "metadata": {"name": "the-salt-road-x", "uid": "u", "namespace": "n"}})
    assert run.spec.budget is not None
    assert run.spec.budget.max_cost_usd == 0.5
    assert run.spec.departments == ["production"]


def test_the_department_takes_part_and_leaves_the_model_to_the_operator() -> None:
    """A department that names a model in the CMS would be written by that one."""
    listed = yaml.safe_load((ROOT / "demo/gather_demo/cms/departments.yaml").read_text(encoding="utf-8"))
    (found,) = [d for d in listed if d["slug"] == real_model.DEPARTMENT]
    assert found["isActive"]
    assert found["gatherCheck"]
    assert found["defaultModel"] is None


def test_helm_takes_the_model_s_values_as_they_are() -> None:
    command = helm_install_command(["helm"], "gather", "film", {}, {"operator.defaultModel": "a/b,c={d}"})
    assert command[-2:] == ["--set-literal", "operator.defaultModel=a/b,c={d}"]


class Seen:
    """All that is started, with what goes to its standard input apart."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.inputs: list[str] = []

    def output_of(self, command: list[str], *, stdin: str | None = None, **_: Any) -> str:
        """Answer as kubectl would."""
        self.commands.append(" ".join(map(str, command)))
        self.inputs.append(stdin or "")
        return json.dumps(WORKER) if "get secret" in self.commands[-1] else "gatherrun.gather.ft.tc/road-x\n"


class Provider:
    """A provider whose way out is known."""

    @contextlib.contextmanager
    def way_out(self, url: str) -> Iterator[WayOut]:
        """Lead through a proxy."""
        yield WayOut(url, "http://10.213.77.1:4")


@pytest.mark.parametrize("phase", [RunPhase.SUCCEEDED, RunPhase.FAILED])
def test_the_key_goes_by_standard_input_alone_and_is_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], phase: RunPhase
) -> None:
    """Also after a run that failed."""
    seen, installed = Seen(), []
    run = _run(phase)
    for module in (real_model, show_run):
        monkeypatch.setattr(module, "output_of", seen.output_of)
    monkeypatch.setattr(deploy, "deploy", lambda *given: installed.append(given[-1]))
    monkeypatch.setattr(show_run, "watch_run", lambda *_: iter([run]))
    monkeypatch.setattr(show_run, "forwarded", lambda *_: contextlib.nullcontext(4))
    monkeypatch.setattr(show_run, "sample_items", lambda *_: [{"_id": "Production", "content": "[x] a note"}])
    cluster = deploy.Cluster(Provider(), Tools(["kubectl"], ["helm"]), {})  # type: ignore[arg-type]
    outcome = contextlib.nullcontext() if phase is RunPhase.SUCCEEDED else pytest.raises(DemoError)
    with outcome:
        deploy.show_real_model(cluster, "film", MODEL, Reporter())
    coded = base64.b64encode(PRIVATE.encode()).decode()
    said = "\n".join([*seen.commands, json.dumps(installed), capsys.readouterr().out])
    assert PRIVATE not in said
    assert coded not in said
    assert [coded in text for text in seen.inputs].count(True) == 1
    assert seen.commands[-1] == "kubectl -n film delete secret gather-demo-model --ignore-not-found"
    first, last = installed
    assert last is None
    assert first == {
        "operator.defaultModel": "vendor/name",
        "llmBaseUrl": "https://models.example/v1",
        "model.proxy": "http://10.213.77.1:4",
        "worker.existingSecret": "gather-demo-model",
    }


@pytest.mark.parametrize("end", ["interrupted", "out of time"])
def test_a_run_that_nobody_looks_at_any_more_is_cancelled(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """It would go on to spend money."""
    seen = Seen()

    def watch(*_: object) -> Iterator[GatherRun]:
        yield _run(RunPhase.RUNNING)
        if end == "interrupted":
            raise KeyboardInterrupt

    monkeypatch.setattr(show_run, "output_of", seen.output_of)
    monkeypatch.setattr(show_run, "watch_run", watch)
    outcome = pytest.raises(KeyboardInterrupt) if end == "interrupted" else contextlib.nullcontext()
    with outcome:
        show_run.follow_paid(["kubectl"], "film", "road-x", Reporter().console)
    assert seen.commands == [
        'kubectl -n film patch gatherruns road-x --type=merge -p {"spec": {"cancel": true}}'
    ]


def _run(phase: RunPhase) -> GatherRun:
    body = {
        "metadata": {"name": "road-x", "namespace": "film", "uid": "u"},
        "spec": {"projectId": "66f1a2b3c4d5e6f708192a3b", "userId": "someone"},
    }
    department = DepartmentStatus(slug="production", reason="BudgetUsed", message="It is used.")
    status = GatherRunStatus(
        phase=phase, items_created=9, iterations=3, tokens=1200, cost_usd=0.0123, departments=[department]
    )
    return parse_run(body).model_copy(update={"status": status})


def test_what_it_cost_is_said_at_the_end_and_after_a_failure() -> None:
    run = _run(RunPhase.FAILED)
    paid = (
        "9 items in 3 iterations, 1200 tokens, 0.0123 of at most 0.50 USD, for vendor/name at models.example."
    )
    assert cost_line(run, MODEL) == paid
    assert "no money was spent" in cost_line(run, None)
    text = failure_text("road-x", run, "film", MODEL)
    assert text.startswith("run road-x is Failed, not Succeeded; production: BudgetUsed It is used.")
    assert paid in text
