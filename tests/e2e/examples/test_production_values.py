"""The values file for production, installed as it says: its own commands, then `helm test` and a run."""

import hashlib
import json
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from dev.paths import ROOT
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project
from tests.support.kubernetes.own_release import OwnRelease, let_in, remove_release

PRODUCTION: Final = ROOT / "examples" / "values" / "production.yaml"
NAMESPACE: Final = "gather-e2e-production"
INSTALL_TIMEOUT: Final = "230s"
"""Two brains beside another Gather on two cores."""


def commands() -> list[str]:
    """The commands of step 1, as the file's comments have them."""
    lines = [line.removeprefix("#").strip() for line in PRODUCTION.read_text(encoding="utf-8").splitlines()]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [line for line in joined if line.startswith("kubectl ")]


def filled_in(command: str, stores: str, key: str) -> list[str]:
    """A command with what a reader puts in place of its dots: the stores of another namespace, and a key."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    for written, meant in (
        ("REDIS_URL=rediss://...", f"REDIS_URL=redis://gather-backing-redis.{stores}:6379/0"),
        ("MONGODB_URI=mongodb://...", f"MONGODB_URI=mongodb://gather-backing-mongodb.{stores}:27017/?directConnection=true"),
        ("=KEY", f"={key}"),
        ("HASH", digest),
        ("-n gather ", f"-n {NAMESPACE} "),
        ("namespace gather", f"namespace {NAMESPACE}"),
    ):  # fmt: skip
        command = command.replace(written, meant)
    return shlex.split(command)


def elsewhere(shared: DeployedGather) -> dict[str, Any]:
    """What this cluster has other names for: images, stores, CMS and model; and no Prometheus Operator."""
    helm = [str(ROOT / "dev" / "helm"), "get", "values", "gather", "-o", "yaml", "-n", shared.namespace]
    given = yaml.safe_load(
        subprocess.run(helm, capture_output=True, text=True, timeout=60, check=True).stdout
    )
    values: dict[str, Any] = {
        room: {"image": given[room]["image"]} for room in ("operator", "worker", "brain", "bridge")
    }
    values["brain"]["neo4jUri"] = f"bolt://gather-backing-neo4j.{shared.namespace}:7687"
    return values | {
        "appUrl": f"http://gather-backing-demo-cms.{shared.namespace}:8080",
        "llmBaseUrl": f"http://gather-backing-demo-llm.{shared.namespace}:8080/v1",
        "monitoring": {"serviceMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}},
        "crds": {"enabled": False},
    }


@pytest.fixture
def own(gather: DeployedGather) -> Iterator[OwnRelease]:
    """An empty place for a release, removed afterwards."""
    found = OwnRelease(DeployedGather(gather.kubectl_command, NAMESPACE), [str(ROOT / "dev" / "helm")])
    remove_release(found)
    try:
        # The production values leave the way to stores open; those of another namespace must let it in.
        with let_in(gather, NAMESPACE):
            yield found
    finally:
        remove_release(found)


@pytest.mark.long
def test_an_install_by_the_file_s_own_steps_passes_its_test_and_a_run(
    gather: DeployedGather, own: OwnRelease
) -> None:
    """With two pods of each room, which all become ready."""
    key = secrets.token_hex(32)
    for command in commands():
        program, *words = filled_in(command, gather.namespace, key)
        assert program == "kubectl"
        subprocess.run([*gather.kubectl_command, *words], capture_output=True, timeout=60, check=True)
    chart = str(ROOT / "charts" / "gather")
    own.helm(
        "install", "gather", chart, "--values", str(PRODUCTION), "--values", "-", "--wait",
        "--timeout", INSTALL_TIMEOUT, stdin=json.dumps(elsewhere(gather)),
    )  # fmt: skip
    own.helm("test", "gather", "--timeout", "200s")
    ready = {d["metadata"]["name"]: d["status"]["readyReplicas"] for d in own.gather.objects("deployments")}
    assert ready == {"gather-operator": 2, "gather-brain": 2, "gather-bridge": 2}
    own.gather.apply_run("first", new_project(), departments=["story"], maxIterations=2)
    assert is_succeeded(own.gather.wait_end("first", 300))


def test_each_secret_that_the_values_name_is_made_by_a_command() -> None:
    """A reader who runs them all has what the chart asks for."""
    values = yaml.safe_load(PRODUCTION.read_text(encoding="utf-8"))
    named = {
        room["existingSecret"]
        for room in values.values()
        if isinstance(room, dict) and "existingSecret" in room
    }
    made = {shlex.split(c)[6] for c in commands() if "create secret" in c}
    assert made == named == {"gather-operator", "gather-worker", "gather-brain", "gather-bridge"}
