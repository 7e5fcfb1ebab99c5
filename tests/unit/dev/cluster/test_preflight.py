"""What a machine lacks is named at once and all together, each with its fix."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from dev.artefacts.cache import Cache
from dev.cluster import docker, preflight
from dev.errors import CommandError, MachineError
from dev.paths import ROOT


def _lack(text: str) -> preflight.Check:
    def check() -> None:
        raise MachineError(text)

    return check


def _fail(command: list[str], **_: object) -> str:
    raise CommandError(f"`{command[0]}` failed (1):\nCannot connect to the Docker daemon")


def test_all_that_is_missing_is_named_in_one_error() -> None:
    checks = [_lack("No root: use sudo."), lambda: None, _lack("No room: free some.")]
    with pytest.raises(MachineError) as caught:
        preflight.require_all(checks)
    assert str(caught.value) == (
        "This machine lacks 2 things:\n1. No root: use sudo.\n2. No room: free some."
    )


def test_one_thing_is_named_as_it_is_and_nothing_is_no_error() -> None:
    with pytest.raises(MachineError, match=r"^No root: use sudo\.$"):
        preflight.require_all([_lack("No root: use sudo.")])
    preflight.require_all([lambda: None])


def test_a_python_without_venv_is_named_with_debian_s_package() -> None:
    preflight.require_venv()
    with pytest.raises(MachineError, match="apt-get install python3-venv"):
        preflight.require_venv(lambda name: name != "ensurepip")


def test_without_rights_it_is_said_why_docker_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(docker, "docker_refusal", lambda: "permission denied")
    with pytest.raises(MachineError, match=r"needs root: .*sudo.* none answers \(permission denied\)"):
        preflight.require_rights()


def test_another_system_needs_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(docker, "docker_refusal", lambda: "docker is not installed")
    with pytest.raises(MachineError, match=r"On Darwin .*docker is not installed.*start Docker Desktop"):
        preflight.require_linux("Darwin")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert preflight.node_checks(Cache(tmp_path)) == [preflight.require_linux]


def test_root_of_a_container_is_told_which_rights_it_lacks() -> None:
    bits = preflight.effective_capabilities("Name:\tx\nCapEff:\t00000000a80425fb\n")
    with pytest.raises(MachineError, match=r"lacks CAP_NET_ADMIN, CAP_SYS_ADMIN here: .*--privileged"):
        preflight.require_capabilities(bits)
    preflight.require_capabilities(preflight.effective_capabilities("CapEff:\t000001ffffffffff\n"))


def test_too_little_memory_is_named_with_what_is_needed() -> None:
    available = preflight.memory_available("MemTotal: 9 kB\nMemAvailable:    1048576 kB\n")
    with pytest.raises(MachineError, match=r"needs 3\.0 GiB of memory, but only 1\.0 GiB are free: end"):
        preflight.require_memory(available)
    preflight.require_memory(preflight.MEMORY_BYTES)


def test_a_system_without_apt_is_told_all_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "missing_packages", lambda _: ["runc", "buildah"])
    preflight.require_packages()
    monkeypatch.setattr(preflight, "is_present", lambda _: False)
    with pytest.raises(MachineError, match=r"no apt-get: install what Debian calls runc, buildah\."):
        preflight.require_packages()


def test_a_kernel_without_overlay_is_named_with_the_package_that_has_it() -> None:
    preflight.require_overlay("nodev\tproc\nnodev\toverlay\n", _fail)
    with pytest.raises(MachineError, match="apt-get install linux-image-amd64 kmod"):
        preflight.require_overlay("nodev\tproc\n", _fail)


def test_room_is_asked_for_what_is_not_there_yet(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert preflight.needed_space(cache) == (9 + 4 + 6) * 1024**3
    (tmp_path / "containers").mkdir()
    cache.node.mkdir()
    assert preflight.needed_space(cache) == 9 * 1024**3


def test_a_docker_client_without_an_engine_is_no_docker(tmp_path: Path) -> None:
    assert not docker.docker_answers(_fail)
    assert docker.docker_refusal(_fail) == "Cannot connect to the Docker daemon"
    assert docker.docker_answers(lambda *_, **__: "28.2.2")


def test_nothing_is_installed_before_the_check_which_takes_a_second(tmp_path: Path) -> None:
    """As `make demo` starts it: a Python without packages, here of a user without rights on a full disk."""
    program = (
        "import os, shutil, sys; os.geteuid = lambda: 1000;"
        "shutil.disk_usage = lambda _: type('Usage', (), {'free': 2**30});"
        "from dev.cluster import preflight; preflight.main()"
    )
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {program}"]
    environment = {"PATH": os.environ["PATH"], "GATHER_CACHE": str(tmp_path)}
    before = os.times().children_user
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert os.times().children_user - before < 1
    assert done.returncode == 1
    assert "This machine lacks" in done.stderr
    assert "needs root" in done.stderr
    assert "1.0 GiB are free" in done.stderr
