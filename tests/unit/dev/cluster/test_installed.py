"""Programs that a machine has already are used where they fit, and no others."""

from pathlib import Path

import pytest

from dev.artefacts import versions
from dev.artefacts.cache import Cache
from dev.cluster import installed, kubectl
from dev.cluster.installed import TOOLS, Tool, found_tool, link_installed, version_in
from dev.errors import CommandError, MachineError

BY_NAME = {tool.name: tool for tool in TOOLS}


@pytest.mark.parametrize(
    ("name", "said", "fits"),
    [
        ("kubectl", "Client Version: v1.34.1\nKustomize Version: v5.7.1\n", True),
        ("kubectl", "Client Version: v1.32.9\nKustomize Version: v5.5.0\n", False),
        ("kubectl", "Client Version: v1.36.0\n", False),
        ("helm", "v3.19.0+g3d8990f", True),
        ("helm", "v3.16.4+g7877b45", False),
        ("helm", "v4.0.1+g12500dd", False),
        ("kind", "kind v0.30.0 go1.24.6 linux/amd64", True),
        ("kind", "kind v0.29.0 go1.24.2 linux/amd64", False),
        ("kind", "", False),
    ],
)
def test_a_version_fits_or_not(name: str, said: str, fits: bool) -> None:
    found = found_tool(BY_NAME[name], lambda _: "/usr/bin/env", lambda *_, **__: said)
    assert (found is not None) is fits


def test_our_own_versions_would_fit() -> None:
    """What is built where nothing is installed."""
    for name, version in (("kubectl", versions.KUBERNETES), ("helm", versions.HELM), ("kind", versions.KIND)):
        assert installed.fits(BY_NAME[name], f"v{version}")


def test_a_program_that_is_missing_or_does_not_run_is_none() -> None:
    def fail(*_: object, **__: object) -> str:
        raise CommandError("exec format error")

    assert found_tool(BY_NAME["kind"], lambda _: None) is None
    assert found_tool(BY_NAME["kind"], lambda _: "/opt/kind", fail) is None
    assert version_in("no version") is None


def test_kubectl_and_helm_are_found_by_their_links_until_they_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    program = tmp_path / "kubectl"
    program.touch()

    def find(tool: Tool) -> Path | None:
        return program if tool.name == "kubectl" and program.exists() else None

    assert link_installed(cache, find) == {"kubectl"}
    assert kubectl.program("kubectl", cache).resolve() == program
    program.unlink()
    with pytest.raises(MachineError, match="kubectl is not built yet"):
        kubectl.program("kubectl", cache)
    assert link_installed(cache, find) == frozenset()
    assert list(installed.folder(cache).iterdir()) == []
