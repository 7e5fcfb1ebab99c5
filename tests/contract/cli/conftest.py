"""The command line against a real API server with RBAC, and a node whose kubelet is a double."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gather_cli import main as program
from tests.contract.charts.conftest import Render, Rendered, helm, render  # noqa: F401 - fixtures
from tests.support.installation.installation import Installation
from tests.support.installation.kubelet_double import KubeletDouble, kubelet_double
from tests.support.kubernetes.control_plane import ADMIN, ControlPlane, kubeconfig


@pytest.fixture(scope="session")
def kubelet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeletDouble]:
    """What answers the API server for logs."""
    with kubelet_double(tmp_path_factory.mktemp("kubelet")) as double:
        yield double


@pytest.fixture(scope="session")
def chart(render: Render) -> Rendered:  # noqa: F811
    """The chart as it is for the one-machine cluster, read once: that takes a second."""
    return render("gather")


@pytest.fixture
def installation(plane: ControlPlane, kubelet: KubeletDouble, chart: Rendered) -> Iterator[Installation]:
    """A healthy Gather in a namespace of the test's own."""
    made = Installation(plane, kubelet)
    made.install(chart)
    yield made
    made.remove()


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended, and what it said."""

    code: int
    out: str
    err: str


Gather = Callable[..., Ended]


@pytest.fixture
def gather(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Gather:
    """Call the program in the installation's namespace, as the administrator or as another user."""
    for variable in [name for name in os.environ if name.startswith(("GATHER_", "KUBE", "XDG_"))]:
        if variable != "GATHER_CACHE":
            monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*arguments: str, user: str = ADMIN) -> Ended:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(installation.folder, user)))
        monkeypatch.setattr("sys.argv", ["gather", *arguments, "-n", installation.namespace])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            program.main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return call
