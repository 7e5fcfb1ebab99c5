"""The kind provider: the commands that it issues, since no Docker engine runs where this is tested."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.artefacts import go_programs, versions
from dev.artefacts.cache import Cache
from dev.cluster import installed, kind, kubeconfig
from dev.cluster.apiserver import ApiServer
from dev.errors import ClusterError, CommandError, MachineError
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

    def __init__(self, clusters: str = "", *, is_stopped: bool = False) -> None:
        self.clusters = clusters
        self.is_stopped = is_stopped
        self.asked: list[str] = []

    def __call__(self, command: list[str], **_: object) -> str:
        text = shlex.join([Path(command[0]).name, *command[1:]])
        self.asked.append(text)
        if text.startswith("kind get clusters"):
            return self.clusters
        if text.startswith("kind get kubeconfig") and self.is_stopped:
            raise CommandError("Container 1234 is not running")
        if text.startswith("kind delete"):
            self.clusters = ""
        if text.startswith("kind create"):
            self.is_stopped = False
        return VIEW if "config view" in text else "localhost/gather-worker:dev\nlocalhost/other:1\n"

    @property
    def changes(self) -> list[str]:
        """What was asked of kind that changes a cluster."""
        return [a.split()[1] for a in self.asked if a.split()[1] in {"create", "delete"}]


Make = Callable[[Recorder], kind.KindProvider]


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A provider whose programs are built and whose long commands are recorded too; its cluster is ready."""
    for programs in kind.PROGRAMS:
        folder = programs.folder(Cache(tmp_path))
        folder.mkdir()
        (folder / programs.name).touch()
        (folder / ".complete").write_text(programs.stamp(), encoding="ascii")
    monkeypatch.setattr(kind.KindProvider, "_missing_part", lambda _: None)
    monkeypatch.setattr(kind, "HEAL_TIMEOUT_S", 0)

    def make(recorder: Recorder) -> kind.KindProvider:
        monkeypatch.setattr(kind, "run_logged", lambda command, *_, **__: recorder(command))
        return kind.KindProvider(Cache(tmp_path), Reporter(), recorder)

    return make


def _made(provider: Make) -> None:
    """Let a cluster be there that this recipe made."""
    provider(Recorder()).up()


def test_the_cluster_has_one_node_of_the_pinned_image_with_our_labels() -> None:
    (node,) = json.loads(kind.cluster_config())["nodes"]
    assert node["image"] == versions.KIND_NODE
    assert node["labels"] == {"pool": "cpu_intensive"}


def test_up_creates_the_cluster_and_never_touches_the_users_kubeconfig(
    provider: Make, tmp_path: Path
) -> None:
    recorder = Recorder()
    provider(recorder).up()
    (create,) = [a for a in recorder.asked if a.startswith("kind create")]
    assert f"--name gather-dev --config {tmp_path}/kind/config.json" in create
    assert f"--kubeconfig {tmp_path}/kind/kubeconfig" in create
    assert kubeconfig.read(tmp_path / "kubeconfig").server == "https://127.0.0.1:4"


def test_up_leaves_a_cluster_that_is_well_alone(provider: Make) -> None:
    _made(provider)
    recorder = Recorder("gather-dev\n")
    provider(recorder).up()
    assert recorder.changes == []


def test_up_makes_a_cluster_again_that_is_not_ready(provider: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(provider)
    recorder = Recorder("gather-dev\n")
    monkeypatch.setattr(
        kind.KindProvider, "_missing_part", lambda _: None if recorder.changes else "the name server"
    )
    provider(recorder).up()
    assert recorder.changes == ["delete", "create"]


def test_up_makes_a_cluster_again_that_a_reboot_or_docker_stopped(
    provider: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind reads the kubeconfig out of the container, which has to run for that."""
    _made(provider)
    recorder = Recorder("gather-dev\n", is_stopped=True)
    provider(recorder).up()
    assert recorder.changes == ["delete", "create"]
    assert "is not running Making the cluster again." in capsys.readouterr().out


@pytest.mark.parametrize("change", ["another node image", "another kind", "another cache's"])
def test_up_makes_a_cluster_again_that_another_recipe_made(
    provider: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    _made(provider)
    if change == "another node image":
        monkeypatch.setattr(versions, "KIND_NODE", "kindest/node:v9.9.9")
    elif change == "another kind":
        monkeypatch.setattr(versions, "KIND", "9.9.9")
    else:
        (tmp_path / "kind" / "fingerprint").unlink()
    recorder = Recorder("gather-dev\n")
    provider(recorder).up()
    assert recorder.changes == ["delete", "create"]


def test_a_cluster_is_up_only_when_services_and_names_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once counted as up while kube-proxy crashed and no name was known."""
    found = kind.KindProvider(Cache(tmp_path), Reporter())
    kubeconfig.write(
        found.kubeconfig,
        kubeconfig.render(kubeconfig.Credentials("https://127.0.0.1:4", "QQ==", "Qg==", "Qw==")),
    )
    for question in ("is_ready", "are_nodes_ready", "has_default_account"):
        monkeypatch.setattr(ApiServer, question, lambda *_: True)
    monkeypatch.setattr(ApiServer, "runs_services", lambda _: False)
    assert found._missing_part() == "kube-proxy and the name server"
    with pytest.raises(ClusterError, match=r"Not within 0 s: kube-proxy and the name server"):
        found._await_ready(0)
    monkeypatch.setattr(ApiServer, "runs_services", lambda _: True)
    assert found._missing_part() is None


def test_programs_that_are_installed_are_not_built(
    provider: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for programs in (go_programs.KIND, go_programs.HELM):
        shutil.rmtree(programs.folder(Cache(tmp_path)))
    built: list[str] = []
    monkeypatch.setattr(
        go_programs, "ensure_programs", lambda wanted, *_: built.extend(p.name for p in wanted)
    )

    def link(cache: Cache) -> frozenset[str]:
        installed.folder(cache).mkdir()
        (installed.folder(cache) / "kind").symlink_to("/bin/true")
        return frozenset({"kind", "kubectl"})

    monkeypatch.setattr(installed, "link_installed", link)
    provider(Recorder()).up()
    assert built == ["helm"]


def test_down_leaves_nothing_of_the_cluster(provider: Make, tmp_path: Path) -> None:
    """Neither keys nor configuration; also where the cluster itself was removed by hand."""
    for clusters in ("gather-dev\n", ""):
        _made(provider)
        assert (tmp_path / "kind").exists()
        provider(Recorder(clusters)).down()
        assert not (tmp_path / "kind").exists()
        assert not (tmp_path / "kubeconfig").exists()


def test_down_deletes_only_our_cluster(provider: Make, tmp_path: Path) -> None:
    recorder = Recorder("another\ngather-dev\n")
    provider(recorder).down()
    deletes = [a for a in recorder.asked if "delete" in a]
    assert deletes == [f"kind delete cluster --name gather-dev --kubeconfig {tmp_path}/kind/kubeconfig"]


def test_down_without_a_cluster_does_nothing(provider: Make) -> None:
    recorder = Recorder("another\n")
    provider(recorder).down()
    assert recorder.asked == ["kind get clusters"]


def test_an_image_is_loaded_from_its_archive(provider: Make) -> None:
    recorder = Recorder("gather-dev\n")
    provider(recorder).load_image(Path("/images/worker.tar"))
    assert recorder.asked == ["kind load image-archive /images/worker.tar --name gather-dev"]


def test_the_nodes_images_are_listed(provider: Make) -> None:
    assert "localhost/gather-worker:dev" in provider(Recorder("gather-dev\n")).images()


def test_pods_reach_an_endpoint_outside_as_it_is_and_never_this_machine_as_itself(provider: Make) -> None:
    found = provider(Recorder())
    with found.way_out("https://openrouter.ai/api/v1") as way:
        assert (way.url, way.proxy) == ("https://openrouter.ai/api/v1", "")
    with pytest.raises(MachineError, match="use an address that others have for it"):
        found.way_out("http://localhost:11434/v1")
