"""The kind provider: the commands that it issues, since no Docker engine runs where this is tested."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.artefacts import go_programs, versions
from dev.artefacts.cache import Cache
from dev.cluster import kind, kubeconfig
from dev.progress import Reporter

VIEW = json.dumps(
    {
        "clusters": [
            {
                "name": "kind-x",
                "cluster": {"server": "https://127.0.0.1:4", "certificate-authority-data": "QQ=="},
            }
        ],
        "users": [{"name": "kind-x", "user": {"client-certificate-data": "Qg==", "client-key-data": "Qw=="}}],
    }
)


class Recorder:
    """Answers as kind and kubectl would, and remembers what was asked."""

    def __init__(self, clusters: str = "") -> None:
        self.clusters = clusters
        self.asked: list[str] = []

    def __call__(self, command: list[str], **_: object) -> str:
        text = shlex.join([Path(command[0]).name, *command[1:]])
        self.asked.append(text)
        if text.startswith("kind get clusters"):
            return self.clusters
        if text.startswith("kind delete"):
            self.clusters = ""
        return VIEW if "config view" in text else "localhost/gather-worker:dev\nlocalhost/other:1\n"


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Recorder], kind.KindProvider]:
    """A provider whose programs are built and whose long commands are recorded too."""
    (go_programs.KIND.folder(Cache(tmp_path))).mkdir()
    stamp = go_programs.KIND.folder(Cache(tmp_path)) / ".complete"
    stamp.write_text(go_programs.KIND.stamp(), encoding="ascii")
    monkeypatch.setattr(go_programs, "ensure_programs", lambda *_: None)

    def make(recorder: Recorder) -> kind.KindProvider:
        monkeypatch.setattr(kind, "run_logged", lambda command, *_, **__: recorder(command))
        return kind.KindProvider(Cache(tmp_path), Reporter(), recorder)

    return make


def test_the_cluster_has_one_node_of_the_pinned_image_with_our_labels() -> None:
    (node,) = json.loads(kind.cluster_config())["nodes"]
    assert node["image"] == versions.KIND_NODE
    assert node["labels"] == {"pool": "cpu_intensive"}


def test_up_creates_the_cluster_and_never_touches_the_users_kubeconfig(
    provider: Callable[[Recorder], kind.KindProvider], tmp_path: Path
) -> None:
    recorder = Recorder()
    provider(recorder).up()
    (create,) = [a for a in recorder.asked if a.startswith("kind create")]
    assert f"--name gather-dev --config {tmp_path}/kind.json" in create
    assert f"--kubeconfig {tmp_path}/kind.kubeconfig" in create
    assert kubeconfig.read(tmp_path / "kubeconfig").server == "https://127.0.0.1:4"


def test_up_leaves_a_cluster_that_is_well_alone(
    provider: Callable[[Recorder], kind.KindProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind.KindProvider, "_is_ready", lambda _: True)
    recorder = Recorder("gather-dev\n")
    provider(recorder).up()
    assert not [a for a in recorder.asked if "create" in a or "delete" in a]


def test_up_makes_a_cluster_again_that_is_not_ready(
    provider: Callable[[Recorder], kind.KindProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind.KindProvider, "_is_ready", lambda _: False)
    recorder = Recorder("gather-dev\n")
    provider(recorder).up()
    changes = [a.split()[1] for a in recorder.asked if a.split()[1] in {"create", "delete"}]
    assert changes == ["delete", "create"]


def test_down_deletes_only_our_cluster(
    provider: Callable[[Recorder], kind.KindProvider], tmp_path: Path
) -> None:
    recorder = Recorder("another\ngather-dev\n")
    provider(recorder).down()
    deletes = [a for a in recorder.asked if "delete" in a]
    assert deletes == [f"kind delete cluster --name gather-dev --kubeconfig {tmp_path}/kind.kubeconfig"]


def test_down_without_a_cluster_does_nothing(provider: Callable[[Recorder], kind.KindProvider]) -> None:
    recorder = Recorder("another\n")
    provider(recorder).down()
    assert recorder.asked == ["kind get clusters"]


def test_an_image_is_loaded_from_its_archive(provider: Callable[[Recorder], kind.KindProvider]) -> None:
    recorder = Recorder("gather-dev\n")
    provider(recorder).load_image(Path("/images/worker.tar"))
    assert recorder.asked == ["kind load image-archive /images/worker.tar --name gather-dev"]


def test_the_nodes_images_are_listed(provider: Callable[[Recorder], kind.KindProvider]) -> None:
    assert "localhost/gather-worker:dev" in provider(Recorder("gather-dev\n")).images()
