"""Our kubeconfig is read only as we wrote it."""

import json
import stat
from pathlib import Path

import pytest

from dev.cluster import kubeconfig
from dev.cluster.kubeconfig import Credentials
from dev.errors import ContextError

OURS = Credentials("https://10.213.77.2:6443", "QQ==", "Qg==", "Qw==")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "kubeconfig"
    kubeconfig.write(path, kubeconfig.render(OURS))
    assert kubeconfig.read(path) == OURS


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    kubeconfig.write(path, kubeconfig.render(OURS))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["kubeconfig"]


def test_a_missing_cluster_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="no cluster: bring it up with `make up`"):
        kubeconfig.read(tmp_path / "kubeconfig")


def test_another_current_context_is_refused(tmp_path: Path) -> None:
    body = json.loads(kubeconfig.render(OURS)) | {"current-context": "production"}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(body), encoding="ascii")
    with pytest.raises(ContextError, match=r"current context is not gather-dev.*--context NAME"):
        kubeconfig.read(path)


@pytest.mark.parametrize(
    "text", ["", "apiVersion: v1\nkind: Config\n", "[]", '{"current-context": "gather-dev"}']
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text, encoding="ascii")
    with pytest.raises(ContextError):
        kubeconfig.read(path)
