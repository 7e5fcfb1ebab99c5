"""A Docker engine is started only where it can be, and what is lacking is named."""

import os
from pathlib import Path

import pytest

from dev.artefacts.cache import Cache
from dev.cluster import docker, engine, preflight
from dev.cluster.engine import ensure_engine
from dev.errors import ClusterError, CommandError, MachineError
from dev.images import build
from dev.images.buildah import BuildahBuilder
from dev.images.builders import DockerBuilder
from dev.progress import Reporter
from dev.waiting import wait_for


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of root's on which no engine answers, whatever is started; nothing is installed."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(engine, "docker_answers", lambda: False)
    monkeypatch.setattr(engine, "docker_refusal", lambda: "docker is not installed")
    monkeypatch.setattr(engine, "effective_capabilities", lambda _: (1 << 40) - 1)
    monkeypatch.setattr(engine, "ensure_packages", lambda *_: None)
    monkeypatch.setattr(engine, "START_TIMEOUT_S", 0)


@pytest.mark.usefixtures("absent")
def test_all_that_is_lacking_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(engine, "effective_capabilities", lambda _: 0)
    with pytest.raises(
        MachineError, match=r"lacks 2 things:\n1\. .*needs root.*\n2\. Root lacks CAP_SYS_RESOURCE"
    ):
        ensure_engine(Cache(tmp_path), Reporter())


@pytest.mark.usefixtures("absent")
def test_an_engine_that_does_not_start_is_an_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "start", lambda log, _: (log.parent.mkdir(), log.write_text("no iptables\n")))
    with pytest.raises(ClusterError, match=r"docker is not installed\nno iptables"):
        ensure_engine(Cache(tmp_path), Reporter())


def test_an_engine_that_answers_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "docker_answers", lambda: True)
    monkeypatch.setattr(engine, "start", lambda *_: pytest.fail("started an engine"))
    ensure_engine(Cache(tmp_path), Reporter())


def test_a_node_of_ours_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be used in place of kind."""
    monkeypatch.setattr(engine, "docker_answers", lambda: True)
    Cache(tmp_path).node.mkdir()
    with pytest.raises(MachineError, match="`make down` first"):
        ensure_engine(Cache(tmp_path), Reporter())


def test_without_systemd_the_engine_outlives_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "dockerd"
    program.write_text("#!/bin/sh\necho engine\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    log = tmp_path / "logs" / "docker.log"
    engine.start(log, tmp_path / "no-systemd")
    wait_for("its words", lambda: log.read_text(encoding="ascii") == "engine\n", 30)


@pytest.mark.parametrize(("buildx", "builder"), [(True, DockerBuilder), (False, BuildahBuilder)])
def test_docker_without_buildx_leaves_the_images_to_buildah(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buildx: bool, builder: type
) -> None:
    """Debian 12's docker.io knows no named build contexts."""
    monkeypatch.setattr(build, "docker_answers", lambda: True)
    monkeypatch.setattr(build, "has_buildx", lambda: buildx)
    assert type(build.Images.from_environment(Cache(tmp_path), Reporter()).builder) is builder


def test_buildx_is_asked_for() -> None:
    def answer(command: list[str], **_: object) -> str:
        if command != ["docker", "buildx", "version"]:
            raise CommandError("unknown")
        return "github.com/docker/buildx v0.28"

    def refuse(*_: object, **__: object) -> str:
        raise CommandError("docker: 'buildx' is not a docker command.")

    assert docker.has_buildx(answer)
    assert not docker.has_buildx(refuse)


def test_a_user_whose_docker_has_no_buildx_is_told_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root needs none: buildah is installed."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    preflight.require_builder(lambda: True)
    with pytest.raises(MachineError, match=r"no buildx here, .*apt-get install docker-buildx, .*sudo"):
        preflight.require_builder(lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    preflight.require_builder(lambda: False)
