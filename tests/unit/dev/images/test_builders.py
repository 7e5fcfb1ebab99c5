"""The command lines that build images, and what is mounted while they run."""

import json
from pathlib import Path

import pytest

from dev.artefacts.cache import Cache
from dev.artefacts.store_binaries import StoreArtefacts
from dev.errors import CommandError, MachineError
from dev.images import buildah, builders
from dev.images.base_image import EPOCH_S
from dev.images.build import context_folders, context_versions, select
from dev.images.buildah import BuildahBuilder, volumes
from dev.images.builders import DockerBuilder, build_arguments
from dev.images.pip_config import PipConfig, pip_config
from dev.images.specs import IMAGES, Image
from dev.progress import Reporter

IMAGE = Image("gather-room", "room/Dockerfile", "gather", "room.image.tag")


def test_a_build_names_its_base_its_contexts_and_its_tags() -> None:
    bases = {"BASE": "base:1", "RUNTIME": "small:1"}
    arguments = build_arguments(IMAGE, ("k1", "dev"), {"jars": Path("/jars")}, bases)
    assert arguments == [
        "--network", "host", "-f", "room/Dockerfile",
        "--build-arg", "BASE=base:1", "--build-arg", "RUNTIME=small:1",
        "--build-context", "jars=/jars",
        "-t", "localhost/gather-room:k1", "-t", "localhost/gather-room:dev", ".",
    ]  # fmt: skip


def test_buildah_keeps_its_storage_in_the_cache_and_its_mounts_below_run(tmp_path: Path) -> None:
    command = BuildahBuilder(Cache(tmp_path), Reporter()).command("images")
    buildah_command = command[len(buildah.END_WITH_US) :]
    assert buildah_command[:4] == ["buildah", "--root", str(tmp_path / "containers"), "--runroot"]
    assert buildah_command[4].startswith("/run/gather-")
    assert buildah_command[5:] == ["images"]


def test_docker_builds_with_buildkit_from_the_source_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[list[str], dict[str, object]]] = []
    monkeypatch.setattr(
        builders, "run_logged", lambda command, _log, **options: calls.append((command, options))
    )
    DockerBuilder(Cache(tmp_path)).build(IMAGE, ("k1",), tmp_path / "source", {})
    ((command, options),) = calls
    assert command[:2] == ["docker", "build"]
    assert "BASE=python:3.12-slim-bookworm" in command
    assert options["cwd"] == tmp_path / "source"
    assert options["env"] == {"DOCKER_BUILDKIT": "1"}


def test_docker_saves_all_names_into_one_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(builders, "output_of", lambda command, **_options: calls.append(command))
    DockerBuilder(Cache(tmp_path)).save(IMAGE, ("k1", "dev"), tmp_path / "a.tar")
    assert calls == [
        [
            "docker",
            "save",
            "-o",
            str(tmp_path / "a.tar"),
            "localhost/gather-room:k1",
            "localhost/gather-room:dev",
        ]
    ]


def test_docker_pushes_another_name_and_knows_the_digest_of_that_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all registries that the image was pushed to."""
    calls: list[list[str]] = []

    def said(command: list[str], **_: object) -> str:
        calls.append(command)
        return json.dumps(["other/room@sha256:aa", "r.example.com/g/room@sha256:bb"])

    monkeypatch.setattr(builders, "output_of", said)
    target = "r.example.com/g/room:1.0.0"
    assert DockerBuilder(Cache(tmp_path)).push(IMAGE, "k1", target, plain_http=False) == "sha256:bb"
    assert [command[1] for command in calls] == ["tag", "push", "inspect"]
    assert calls[0][2:] == ["localhost/gather-room:k1", target]


def test_buildah_pushes_without_tls_only_where_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And reads the digest from the file that buildah writes."""
    calls: list[list[str]] = []

    def pushed(command: list[str], *_: object, **__: object) -> None:
        calls.append(command)
        Path(command[command.index("--digestfile") + 1]).write_text("sha256:cc\n", "ascii")

    monkeypatch.setattr(buildah, "run_logged", pushed)
    builder = BuildahBuilder(Cache(tmp_path), Reporter())
    for plain_http in (False, True):
        digest = builder.push(IMAGE, "k1", "r.example.com/g/room:1.0.0", plain_http=plain_http)
        assert digest == "sha256:cc"
        assert ("--tls-verify=false" in calls[-1]) == plain_http
        assert calls[-1][-2:] == ["localhost/gather-room:k1", "docker://r.example.com/g/room:1.0.0"]


def test_buildah_gives_every_layer_and_the_image_one_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And builds on the base, for what is kept of it."""
    calls: list[list[str]] = []
    monkeypatch.setattr(buildah, "run_logged", lambda command, *_, **__: calls.append(command))
    builder = BuildahBuilder(Cache(tmp_path), Reporter())
    builder._scratch.mkdir()
    builder.build(IMAGE, ("k1",), tmp_path, {})
    ((*command,),) = calls
    assert command[command.index("--timestamp") + 1] == str(EPOCH_S)
    assert {f"BASE={builder.base}", f"RUNTIME={builder.runtime}"} <= set(command)


def test_building_without_docker_asks_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MachineError, match="needs root"):
        BuildahBuilder(Cache(tmp_path), Reporter()).prepare()


def test_building_on_a_full_disk_says_how_much_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(buildah, "IMAGES_SPACE_BYTES", 1 << 60)
    with pytest.raises(MachineError, match="GATHER_CACHE"):
        BuildahBuilder(Cache(tmp_path), Reporter()).prepare()


def test_pip_configuration_is_mounted_read_only() -> None:
    options = volumes(PipConfig("", (Path("/etc/ca.crt"),)), Path("/cache/pip.conf"))
    assert options == ["-v", "/cache/pip.conf:/etc/pip.conf:ro", "-v", "/etc/ca.crt:/etc/ca.crt:ro"]


def test_pip_settings_that_say_where_packages_come_from_are_passed_on(tmp_path: Path) -> None:
    listed = "\n".join(
        (
            f"global.cert='{tmp_path}/file.crt'",
            "global.target='/elsewhere'",
            "global.timeout='5'",
            ":env:.timeout='180'",
            f":env:.find-links='{tmp_path} /missing/wheels'",
            "install.user='true'",
        )
    )
    found = pip_config(listed, tmp_path / "no-bundle")
    assert found.text == (
        f"[global]\ncert = {tmp_path}/file.crt\nfind-links = {tmp_path} /missing/wheels\ntimeout = 180\n"
    )
    assert found.mounts == (tmp_path,)


def test_pip_trusts_what_the_machine_trusts(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.touch()
    assert pip_config("", bundle) == PipConfig(f"[global]\ncert = {bundle}\n", (bundle,))


def test_images_are_selected_with_and_without_their_prefix() -> None:
    assert [image.name for image in select(["worker", "gather-brain"])] == ["gather-worker", "gather-brain"]
    assert select([]) == list(IMAGES)


def test_an_unknown_image_is_named_with_those_that_exist() -> None:
    with pytest.raises(MachineError, match=r"nonsense; there are neo4j, .*worker"):
        select(["nonsense"])


def test_every_build_context_has_a_version_and_a_folder() -> None:
    assert set(context_versions()) == set(context_folders(StoreArtefacts.from_environment()))


def test_a_build_that_the_kernel_refused_for_a_moment_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only for that refusal, and not without end."""
    said = ["Close_Fd sealing memfd copy: Device or resource busy"] * 2

    def run(*_arguments: object, **_options: object) -> None:
        if said:
            raise CommandError(said.pop())

    monkeypatch.setattr(buildah, "run_logged", run)
    builder = BuildahBuilder(Cache(tmp_path), Reporter())
    builder._log("worker", ["buildah"])
    said += ["no space left on device"]
    with pytest.raises(CommandError, match="no space"):
        builder._log("worker", ["buildah"])
