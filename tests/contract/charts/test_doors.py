"""What the charts render for the doors: least rights, their own settings, and nothing if none is wanted."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.paths import ROOT
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_bridge.http_door.door_settings import DoorSettings
from gather_contracts import names
from tests.support.kubernetes.rendered_charts import DOORS, named, with_notes_shown

CHARTS = ROOT / "charts"
Helm = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]
Render = Callable[..., list[dict[str, Any]]]


def test_the_door_reads_the_settings_that_are_rendered(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what the bridge may call."""
    networks = 'bridge.env={"GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS": "[\\"10.0.0.0/8\\"]"}'
    pod = named(render("gather", networks), "Deployment", "gather-http-door")["spec"]["template"]["spec"]
    monkeypatch.setenv("REDIS_URL", "redis://redis")
    for variable in pod["containers"][0]["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    read = DoorSettings()
    assert (read.namespace, list(map(str, read.webhook_allowed_networks))) == ("film", ["10.0.0.0/8"])


def test_the_celery_door_reads_what_is_rendered(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own settings, from the environment of its pod."""
    given = (
        'doors.celery.brokerOptions={"global_keyprefix":"app:","visibility_timeout":10}',
        'doors.celery.queues=["gather","cpu_intensive"]',
        "doors.celery.runsMax=3",
    )
    door = named(render("gather", *given), "Deployment", "gather-celery-door")
    (container,) = door["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["celery"]
    monkeypatch.setenv("REDIS_URL", "redis://redis")
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    read = CelerySettings()
    assert (read.queues, read.runs_max) == (("gather", "cpu_intensive"), 3)
    assert read.broker_options.global_keyprefix == "app:"


@pytest.mark.parametrize("door", DOORS)
def test_a_door_may_create_get_watch_and_patch_gatherruns_and_nothing_else(render: Render, door: str) -> None:
    """In its namespace: a Role, no ClusterRole, and no `list`."""
    (rule,) = named(render("gather"), "Role", f"gather-{door}")["rules"]
    assert rule["verbs"] == ["create", "get", "watch", "patch"]
    assert (rule["apiGroups"], rule["resources"]) == ([names.GROUP], [names.PLURAL])
    (subject,) = named(render("gather"), "RoleBinding", f"gather-{door}")["subjects"]
    assert subject["name"] == f"gather-{door}"


@pytest.mark.parametrize("door", ["celery", "http"])
def test_a_door_asks_for_its_secret_and_can_be_left_out(helm: Helm, render: Render, door: str) -> None:
    chart = CHARTS / "gather"
    done = helm([
        "template", "gather", str(chart),
        "--values", str(chart / "values-dev.yaml"), "--set", f"doors.{door}.existingSecret=",
    ])  # fmt: skip
    assert f"doors.{door}.existingSecret is required" in done.stderr
    documents = render("gather", f"doors.{door}.enabled=false")
    assert not [each for each in documents if each["metadata"]["name"] == f"gather-{door}-door"]


@pytest.mark.parametrize("is_on", [True, False], ids=["on", "off"])
def test_what_helm_says_at_the_end_is_about_what_was_installed(
    helm: Helm, tmp_path: Path, *, is_on: bool
) -> None:
    """Addresses of page and doors by the release's names, the key's command, the warning about the queue."""
    chart = with_notes_shown(CHARTS / "gather", tmp_path)
    switches = ",".join(
        f"{each}.enabled={str(is_on).lower()}" for each in ("bridge.page", "doors.http", "doors.celery")
    )
    rendered = helm([
        "template", "film", str(chart),
        "--values", str(chart / "values-dev.yaml"), "--set", switches,
        "--show-only", "templates/notes.yaml",
    ])  # fmt: skip
    assert rendered.returncode == 0, rendered.stderr
    notes = yaml.safe_load(rendered.stdout)["data"]["notes"]
    said = ("svc/film-gather-bridge 8080", "svc/film-gather-http-door", "http-key --name", "throws it away")
    assert [each in notes for each in said] == [is_on] * len(said)
    assert "\n\n\n" not in notes
