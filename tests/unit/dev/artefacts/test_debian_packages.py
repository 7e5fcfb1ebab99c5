"""Only missing packages are asked for, and the errors say what to do."""

import os
from pathlib import Path

import pytest

from dev.artefacts import debian_packages
from dev.artefacts.cache import Cache
from dev.errors import MachineError
from dev.progress import Reporter


def test_only_what_is_missing_is_installed() -> None:
    wanted = {"containerd": "containerd", "runc": "runc", "iproute2": "ip"}
    assert debian_packages.missing_packages(wanted, present=lambda probe: probe == "runc") == [
        "containerd",
        "iproute2",
    ]


def test_a_probe_is_a_command_or_a_file(tmp_path: Path) -> None:
    assert debian_packages.is_present("sh")
    assert not debian_packages.is_present("no-such-command-anywhere")
    assert debian_packages.is_present(str(tmp_path))
    assert not debian_packages.is_present(str(tmp_path / "missing"))


def test_nothing_missing_runs_nothing(tmp_path: Path) -> None:
    debian_packages.install([], Cache(tmp_path), Reporter())
    assert list(tmp_path.iterdir()) == []


def test_a_system_without_apt_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian_packages, "is_present", lambda _: False)
    with pytest.raises(MachineError, match=r"Missing: containerd, runc\. Install them with"):
        debian_packages.install(["containerd", "runc"], Cache(tmp_path), Reporter())


def test_a_package_is_unpacked_and_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a service of it might start; its archive does not stay."""
    calls: list[list[str]] = []

    def ran(command: list[str], *_: object, **__: object) -> None:
        calls.append(command)
        if "download" in command:
            (tmp_path / "tool_1.0_amd64.deb").touch()

    monkeypatch.setattr(debian_packages, "run_logged", ran)
    debian_packages.unpack("tool", tmp_path, Cache(tmp_path / "cache"))
    assert [command[-1] for command in calls] == ["update", "tool", str(tmp_path)]
    assert not any("install" in command for command in calls)
    assert not list(tmp_path.glob("*.deb"))


def test_a_user_without_rights_is_told_to_use_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MachineError, match=r"Bringing up the node needs root: .* sudo"):
        debian_packages.require_root("Bringing up the node")
