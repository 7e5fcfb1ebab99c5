"""The node provider's decisions: when it leaves a node alone, starts it again, or refuses."""

import shutil
from pathlib import Path

import pytest

from dev.artefacts import debian_packages, go_programs
from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import ProgramSet
from dev.cluster.choose import choose_provider
from dev.cluster.node import cgroups, network, provider, tree
from dev.cluster.node.provider import NodeProvider
from dev.errors import ClusterError, MachineError
from dev.progress import Reporter


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeProvider:
    """A provider on a machine that has all it needs; no test here starts anything."""
    monkeypatch.setattr(debian_packages, "require_root", lambda _: None)
    monkeypatch.setattr(debian_packages, "ensure_packages", lambda *_: None)
    monkeypatch.setattr(go_programs, "ensure_programs", lambda *_: None)
    monkeypatch.setattr(cgroups, "own_hierarchies", list)
    monkeypatch.setattr(tree, "find", lambda *_: None)
    monkeypatch.setattr(NodeProvider, "_start_clean", lambda self: (self.cache.root / "started").touch())
    cache = Cache(tmp_path)
    (cache.node / "pki").mkdir(parents=True)
    (cache.node / "pki" / "admin.conf").write_text("{}", encoding="ascii")
    return NodeProvider(cache, Reporter())


def _runs(node: NodeProvider, monkeypatch: pytest.MonkeyPatch, *, recipe: str, is_ready: bool) -> None:
    monkeypatch.setattr(tree, "find", lambda *_: tree.Tree(4711, node.cache.node))
    monkeypatch.setattr(NodeProvider, "_missing_part", lambda *_: None if is_ready else "the name server")
    monkeypatch.setattr(provider, "HEAL_TIMEOUT_S", 0)
    (node.cache.node / "fingerprint").write_text(recipe, encoding="ascii")


def _was_started(node: NodeProvider) -> bool:
    return (node.cache.root / "started").exists()


def test_a_node_that_is_ready_is_left_alone(node: NodeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    _runs(node, monkeypatch, recipe=node._recipe(), is_ready=True)
    node.up()
    assert not _was_started(node)


def test_a_node_that_is_not_ready_is_started_again(
    node: NodeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    _runs(node, monkeypatch, recipe=node._recipe(), is_ready=False)
    node.up()
    assert _was_started(node)


def test_a_node_of_another_recipe_is_started_again(
    node: NodeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    _runs(node, monkeypatch, recipe="older", is_ready=True)
    node.up()
    assert _was_started(node)


def test_what_a_killed_node_left_is_no_node(node: NodeProvider) -> None:
    node.up()
    assert _was_started(node)


def test_a_node_of_another_cache_is_refused_with_the_way_to_it(
    node: NodeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "find", lambda *_: tree.Tree(4711, Path("/other/node")))
    for command in (node.up, node.down):
        with pytest.raises(
            MachineError, match=r"GATHER_CACHE=/other, or end it with `.*--cache /other down`"
        ):
            command()
    assert not _was_started(node)


def test_a_running_node_gets_its_kubeconfig_back(node: NodeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    _runs(node, monkeypatch, recipe=node._recipe(), is_ready=True)
    node.up()
    assert node.kubeconfig.read_text(encoding="ascii") == "{}"


def test_the_recipe_changes_with_the_programs(node: NodeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    before = node._recipe()
    monkeypatch.setattr(go_programs, "KUBERNETES", ProgramSet(name="kubernetes", version="9.9.9"))
    assert node._recipe() != before


def test_images_need_a_running_node(node: NodeProvider) -> None:
    with pytest.raises(ClusterError, match="bring it up with `make up`"):
        node.load_image(Path("image.tar"))
    with pytest.raises(ClusterError):
        node.images()


def test_status_says_why_a_node_is_gone(node: NodeProvider) -> None:
    status = node.status()
    assert not status.is_running
    assert status.failure == "it was killed, or the machine was restarted"
    (node.cache.node / "failure.txt").write_text("etcd ended with -9:\n", encoding="ascii")
    assert node.status().failure == "etcd ended with -9:"


def test_down_without_a_node_does_nothing(
    tmp_path: Path, node: NodeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "end", lambda: pytest.fail("ended something"))
    monkeypatch.setattr(cgroups, "existing_groups", list)
    monkeypatch.setattr(network, "has_link", lambda: False)
    NodeProvider(Cache(tmp_path / "empty"), node.reporter).down()


def test_a_folder_that_stays_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(provider, "REMOVE_TIMEOUT_S", 0.01)
    with pytest.raises(ClusterError, match="still mounted below it"):
        provider.remove_folder(tmp_path)


def test_docker_decides_the_provider_unless_a_node_is_there(tmp_path: Path) -> None:
    cache, reporter = Cache(tmp_path), Reporter()
    assert choose_provider(cache, reporter, lambda: True).name == "kind"
    assert choose_provider(cache, reporter, lambda: False).name == "node"
    cache.node.mkdir()
    assert choose_provider(cache, reporter, lambda: True).name == "node"
