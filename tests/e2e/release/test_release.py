"""A release into a registry on this machine, and an installation of nothing but what is there.

The registry is the CNCF's own, as Debian has it. It runs in the node's network, where containerd takes it at
127.0.0.1 without TLS, as it does with every registry of its own machine.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from dev.artefacts import debian_packages
from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.cluster.node import layout, tree
from dev.paths import ROOT
from dev.progress import Reporter
from dev.release.version_texts import unreleased, version_in
from dev.waiting import wait_for
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project
from tests.support.kubernetes.own_release import ABSENT, own_release

PORT: Final = 5917
NAMESPACE: Final = "gather-e2e-release"
ROOMS: Final = ("operator", "worker", "brain", "bridge")
RELEASE_TIMEOUT_S: Final = 1800
"""Four images are built, compressed and pushed, five lists of packages made, on two busy cores."""
AUTHOR: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.com"))
}


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry, as this machine and as the node reach it."""

    here: str = f"{layout.NODE_ADDRESS}:{PORT}"
    in_node: str = f"127.0.0.1:{PORT}"

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository."""
        with urllib.request.urlopen(f"http://{self.here}/v2/{repository}/tags/list", timeout=10) as answer:
            return list(json.load(answer)["tags"])

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            with urllib.request.urlopen(f"http://{self.here}/v2/", timeout=5):
                return True
        except OSError:
            return False


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An empty one; the cluster must be the node of our own."""
    node = tree.find()
    if node is None:
        pytest.skip("the cluster is kind's, whose node has no registry of ours in its network")
    cache = Cache.from_environment()
    package = Artefacts(cache, Reporter()).obtain(
        "docker-registry", "debian", lambda folder: debian_packages.unpack("docker-registry", folder, cache)
    )
    configuration = tmp_path / "registry.yaml"
    configuration.write_text(
        yaml.safe_dump({
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(tmp_path / "stored")}},
            "http": {"addr": f":{PORT}"},
            "log": {"level": "warn"},
        })
    )  # fmt: skip
    program = package / "usr" / "bin" / "docker-registry"
    command = ["nsenter", "--target", str(node.init_pid), "--net", str(program), "serve", str(configuration)]
    with (tmp_path / "registry.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    found = Registry()
    try:
        wait_for("the registry", found.answers, 30)
        yield found
    finally:
        process.terminate()
        process.wait(30)


@dataclass(frozen=True, slots=True)
class Clone:
    """This repository's last commit, in a place of its own."""

    folder: Path

    def git(self, *words: str) -> str:
        """What git prints."""
        return subprocess.run(
            ["git", "-C", self.folder, *words], capture_output=True, text=True, timeout=120, check=True
        ).stdout.strip()

    def release(self, *words: str) -> str:
        """What `make release` calls prints; raises AssertionError with its words."""
        done = subprocess.run(
            [sys.executable, "-m", "dev", "release", *words],
            cwd=self.folder, capture_output=True, text=True, timeout=RELEASE_TIMEOUT_S, check=False,
            env={**os.environ, **AUTHOR},
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """With something to release, whatever stands in the changelog today."""
    made = Clone(tmp_path / "clone")
    subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), made.folder],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    changelog = made.folder / "CHANGELOG.md"
    text = changelog.read_text("utf-8")
    if not unreleased(text):
        changelog.write_text(text.replace("## Unreleased\n", "## Unreleased\n\n- A test.\n", 1), "utf-8")
        made.git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qam", "Note a test")
    return made


def next_version(clone: Clone) -> str:
    """A version above the one that the sources have."""
    major, minor, _ = version_in((clone.folder / "pyproject.toml").read_text("utf-8")).split(".")
    return f"{major}.{int(minor) + 1}.0"


def images_of(own: DeployedGather) -> dict[str, tuple[str, str]]:
    """Each room's image, as its pod names it and as the node has it, by digest."""
    return {
        # A worker's pod is no component of the release: the operator made it.
        pod["metadata"]["labels"].get("app.kubernetes.io/component", "worker"): (
            pod["spec"]["containers"][0]["image"],
            pod["status"]["containerStatuses"][0]["imageID"],
        )
        for pod in own.objects("pods")
        if pod["status"].get("containerStatuses")
    }


@pytest.mark.long
def test_a_release_is_installed_from_the_registry_alone(
    gather: DeployedGather, registry: Registry, clone: Clone
) -> None:
    """Shown first, then done, then done again without harm; and a run succeeds on what came from there."""
    version = next_version(clone)
    before = clone.git("rev-parse", "HEAD")
    assert "Nothing was changed" in clone.release(version)
    assert (clone.git("rev-parse", "HEAD"), clone.git("status", "--porcelain")) == (before, "")

    there = [version, "--registry", f"{registry.here}/gather", "--plain-http"]
    clone.release(*there)
    folder = clone.folder / "dist" / "release" / version
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, timeout=60, check=True)
    first = (folder / "digests.yaml").read_text("utf-8"), (folder / f"gather-{version}.tgz").read_bytes()
    listed = json.loads((folder / "worker.cdx.json").read_text("utf-8"))["components"]
    assert {part["purl"].split("/")[0] for part in listed if "purl" in part} == {"pkg:deb", "pkg:pypi"}
    assert clone.git("log", "-1", "--format=%s %D").startswith(f"Release {version} ")
    assert clone.git("rev-parse", f"v{version}^{{commit}}") == clone.git("rev-parse", "HEAD")

    clone.release(*there)
    again = (folder / "digests.yaml").read_text("utf-8"), (folder / f"gather-{version}.tgz").read_bytes()
    assert again == first
    assert all(registry.tags(f"gather/{room}") == [version] for room in (*ROOMS, "charts/gather"))

    chart = (f"oci://{registry.here}/gather/charts/gather", "--version", version, "--plain-http")
    values: dict[str, Any] = {f"{room}__image": ABSENT for room in ROOMS}
    digests = yaml.safe_load(first[0])
    with own_release(gather, NAMESPACE, chart, global__imageRegistry=registry.in_node, **values) as own:
        own.gather.wait_ready("gather-bridge")
        own.gather.apply_run("first", new_project(), departments=["story"], maxIterations=2)
        assert is_succeeded(own.gather.wait_end("first", 300))
        images = images_of(own.gather)
    for room in ("operator", "worker", "bridge"):
        named, had = images[room]
        assert named == f"{registry.in_node}/gather/{room}:{version}"
        assert had.endswith(digests[room]["image"]["digest"])
