"""What is built, with which commands, and what is said when Go is not there."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dev.artefacts import go_programs, versions
from dev.artefacts.cache import Cache
from dev.errors import MachineError
from dev.paths import ROOT
from dev.progress import Reporter


def test_the_module_pins_the_versions_that_the_cluster_names() -> None:
    pinned = (ROOT / "dev/cluster/node/programs/go.mod").read_text(encoding="ascii")
    assert f"k8s.io/kubernetes v{versions.KUBERNETES} " in pinned
    staging = versions.KUBERNETES.replace("1.", "0.", 1)
    assert f"replace k8s.io/apiserver => k8s.io/apiserver v{staging}\n" in pinned
    assert f"github.com/coredns/coredns v{versions.COREDNS}\n" in pinned
    assert f"helm.sh/helm/v3 v{versions.HELM} " in pinned
    assert f"github.com/cloudnativelabs/kube-router/v2 v{versions.KUBE_ROUTER}\n" in pinned


def test_the_kind_node_has_the_minor_version_of_our_own_node() -> None:
    minor = versions.KUBERNETES.rpartition(".")[0]
    assert versions.KIND_NODE.startswith(f"kindest/node:v{minor}.")
    assert "@sha256:" in versions.KIND_NODE


def test_each_version_and_each_recipe_has_its_own_folder() -> None:
    cache = Cache(Path("/cache"))
    for programs in (go_programs.KUBERNETES, go_programs.HELM):
        recipe = programs.stamp()[:8]
        assert programs.folder(cache) == Path(f"/cache/{programs.name}-{programs.version}-{recipe}")
    other = replace(go_programs.HELM, flags="-s")
    assert other.folder(cache) != go_programs.HELM.folder(cache)


def test_checkouts_with_other_recipes_keep_their_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share a cache; a few stay, the ones used last, and those of the node that runs."""
    monkeypatch.setattr(go_programs, "_go", lambda *_: None)
    monkeypatch.setattr(go_programs, "ensure_go", lambda *_: None)
    cache = Cache(tmp_path)
    node, *recipes = [replace(go_programs.KWOK, flags=f"-X{number}") for number in range(5)]
    go_programs.ensure_programs([node], cache, Reporter())
    (cache.node / "programs").mkdir(parents=True)
    (cache.node / "programs" / "kwok").symlink_to(node.folder(cache) / "kwok")
    for programs in recipes[:3]:
        go_programs.ensure_programs([programs], cache, Reporter())
    go_programs.ensure_programs([recipes[0]], cache, Reporter())  # was built first, but is used again
    go_programs.ensure_programs([recipes[3]], cache, Reporter())
    assert [p.is_built(cache) for p in (node, *recipes)] == [True, True, False, True, True]


def test_the_stamp_changes_with_the_recipe() -> None:
    stamps = {
        p.stamp() for p in (go_programs.KUBERNETES, go_programs.KUBECTL, go_programs.HELM, go_programs.KIND)
    }
    assert len(stamps) == 4


def test_all_of_the_node_is_one_build_with_its_version_in_it() -> None:
    """Packages that several programs share are compiled once."""
    (command,) = go_programs.KUBERNETES.build_commands(Path("/into"))
    assert command[:3] == ["go", "build", "-mod=readonly"]
    assert go_programs.WITHOUT_DWARF in command
    flags = command[command.index("-ldflags") + 1]
    assert f"-X k8s.io/component-base/version.gitVersion=v{versions.KUBERNETES}" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=34" in flags
    assert "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34" in flags
    assert command[command.index("-o") + 1] == "/into/"
    assert [package.rpartition("/")[2] for package in command[command.index("-o") + 2 :]] == [
        *go_programs.KUBERNETES_PROGRAMS, "etcd", "coredns", "netpol", "helm",
    ]  # fmt: skip


def test_helm_alone_is_built_from_the_same_module() -> None:
    (command,) = go_programs.HELM.build_commands(Path("/into"))
    assert command[-1] == "helm.sh/helm/v3/cmd/helm"
    assert go_programs.HELM.module == go_programs.KUBERNETES.module


def test_kwok_is_installed_at_the_pinned_version() -> None:
    (command,) = go_programs.KWOK.build_commands(Path("/into"))
    assert command[-1] == f"sigs.k8s.io/kwok/cmd/kwok@v{versions.KWOK}"


def test_promtool_is_installed_at_the_pinned_version_without_clouds() -> None:
    (command,) = go_programs.PROMTOOL.build_commands(Path("/into"))
    assert command[-1] == f"github.com/prometheus/prometheus/cmd/promtool@v{versions.PROMETHEUS}"
    assert command[command.index("-tags") + 1] == "remove_all_sd"


def test_prometheus_finds_its_targets_in_kubernetes_alone() -> None:
    (command,) = go_programs.PROMETHEUS.build_commands(Path("/into"))
    assert command[-1] == f"github.com/prometheus/prometheus/cmd/prometheus@v{versions.PROMETHEUS}"
    assert command[command.index("-tags") + 1] == "remove_all_sd,enable_kubernetes_sd"


def test_nothing_is_asked_of_the_machine_when_all_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    folder = go_programs.HELM.folder(cache)
    folder.mkdir()
    (folder / ".complete").write_text(go_programs.HELM.stamp(), encoding="ascii")
    monkeypatch.setattr(go_programs, "ensure_go", lambda *_: pytest.fail("asked for Go"))
    go_programs.ensure_programs([go_programs.HELM], cache, Reporter())


def test_two_that_want_the_same_programs_build_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes of tests meet in one cache; the second waits, and finds them whole."""
    builds: list[str] = []
    is_first_in, may_go_on = threading.Event(), threading.Event()

    def go(programs: go_programs.ProgramSet, *_: object) -> None:
        builds.append(programs.name)
        is_first_in.set()
        assert may_go_on.wait(10)

    monkeypatch.setattr(go_programs, "_go", go)
    cache = Cache(tmp_path)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(go_programs.build, go_programs.KWOK, cache, Reporter())
        assert is_first_in.wait(10)
        second = threads.submit(go_programs.build, go_programs.KWOK, cache, Reporter())
        may_go_on.set()
        first.result(10)
        second.result(10)
    assert builds == ["kwok"]
    assert go_programs.KWOK.is_built(cache)


def test_a_full_disk_is_found_before_the_build_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go_programs, "ensure_go", lambda *_: None)
    monkeypatch.setattr(go_programs, "BUILD_SPACE_BYTES", 2**62)
    with pytest.raises(MachineError, match=r"needs \d+\.\d GiB in .* GATHER_CACHE=FOLDER"):
        go_programs.ensure_programs([go_programs.HELM], Cache(tmp_path), Reporter())
