"""The second node: when it is started, left alone, or started again with what it had."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dev.artefacts import debian_packages, go_programs
from dev.artefacts.cache import Cache
from dev.cluster.kind import KindProvider
from dev.cluster.node import cgroups, network, pki, provider, tree
from dev.cluster.node.layout import FIRST, SECOND, Place
from dev.cluster.node.provider import NodeProvider
from dev.errors import CommandError, MachineError
from dev.progress import Reporter


class Machine:
    """What runs on a machine, and what was done to it."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.running: dict[str, Path] = {FIRST.name: cache.node}
        self.done: list[str] = []

    def find(self, place: Place = FIRST) -> tree.Tree | None:
        folder = self.running.get(place.name)
        return tree.Tree(4711, folder) if folder else None

    def launch(self, folder: Path, place: Place = FIRST) -> None:
        self.done.append(f"launch {place.name}")
        self.running[place.name] = folder

    def end_one(self, place: Place) -> None:
        self.done.append(f"end {place.name}")
        self.running.pop(place.name, None)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a first node that is ready; nothing here starts anything."""
    cache = Cache(tmp_path)
    found = Machine(cache)
    monkeypatch.setattr(debian_packages, "ensure_packages", lambda *_: None)
    monkeypatch.setattr(debian_packages, "require_root", lambda _: None)
    monkeypatch.setattr(go_programs, "ensure_programs", lambda *_: None)
    monkeypatch.setattr(cgroups, "own_hierarchies", list)
    monkeypatch.setattr(provider, "ensure_pause_archive", lambda _: Path(__file__))
    monkeypatch.setattr(provider, "require_space", lambda *_: None)
    monkeypatch.setattr(provider, "HEAL_TIMEOUT_S", 0)
    monkeypatch.setattr(NodeProvider, "_missing_part", lambda *_: None)
    for name in ("find", "launch", "end_one"):
        monkeypatch.setattr(tree, name, getattr(found, name))
    (cache.node / "pki").mkdir(parents=True)
    pki.write_pki(cache.node / "pki")
    (cache.node / "fingerprint").write_text(NodeProvider(cache, Reporter())._recipe(), encoding="ascii")
    return found


def _up(machine: Machine, nodes: int) -> None:
    NodeProvider(machine.cache, Reporter()).up(nodes)


def test_without_being_asked_for_there_is_no_second_node(machine: Machine) -> None:
    _up(machine, 1)
    assert machine.done == []
    assert not machine.cache.second_node.exists()


def test_a_second_node_joins_the_first_with_keys_of_its_own(machine: Machine) -> None:
    _up(machine, 2)
    assert machine.done == ["end gather-node-2", "launch gather-node-2"]
    keys = {path.name for path in (machine.cache.second_node / "pki").iterdir()}
    assert keys == {"ca.crt", "kubelet.conf", "proxy.conf", "netpol.conf"}
    first, second = (f / "pki" / "kubelet.conf" for f in (machine.cache.node, machine.cache.second_node))
    assert first.read_bytes() != second.read_bytes()


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_second_node_that_is_ready_is_left_alone(machine: Machine, nodes: int) -> None:
    _up(machine, 2)
    machine.done.clear()
    _up(machine, nodes)
    assert machine.done == []


def test_a_second_node_that_was_lost_comes_back_with_what_it_had(machine: Machine) -> None:
    _up(machine, 2)
    image = machine.cache.second_node / "containerd" / "image"
    image.touch()
    del machine.running[SECOND.name]
    machine.done.clear()
    _up(machine, 2)
    assert machine.done == ["end gather-node-2", "launch gather-node-2"]
    assert image.exists()


def test_half_a_second_node_is_laid_out_again(machine: Machine) -> None:
    left = machine.cache.second_node / "containerd" / "half"
    left.parent.mkdir(parents=True)
    left.touch()
    _up(machine, 2)
    assert not left.exists()
    assert (machine.cache.second_node / "fingerprint").exists()


def test_status_counts_both_and_says_that_one_is_gone(machine: Machine) -> None:
    node = NodeProvider(machine.cache, Reporter())
    assert node.status().nodes == 1
    _up(machine, 2)
    assert (node.status().nodes, node.status().failure) == (2, "")
    del machine.running[SECOND.name]
    assert node.status().failure == "gather-node-2: it was killed, or the machine was restarted"


def test_an_image_counts_when_both_nodes_have_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    _up(machine, 2)
    names = iter([frozenset({"worker", "brain"}), frozenset({"worker"})])
    monkeypatch.setattr(tree, "image_names", lambda _: next(names))
    assert NodeProvider(machine.cache, Reporter()).images() == {"worker"}


def test_down_sees_a_second_node_of_which_only_the_folder_is_left(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _up(machine, 2)
    machine.running.clear()
    monkeypatch.setattr(cgroups, "existing_groups", lambda **_: [])
    monkeypatch.setattr(network, "has_link", lambda: False)
    monkeypatch.setattr(tree, "end", lambda: machine.done.append("end all"))
    NodeProvider(machine.cache, Reporter()).down()
    assert machine.done[-1] == "end all"
    assert not machine.cache.second_node.exists()
    assert not machine.cache.node.exists()


def test_the_first_node_s_rules_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second node that comes back joins again; its rules stayed with the first."""
    rules: list[str] = []

    def output_of(command: Sequence[str]) -> str:
        words = " ".join(command)
        if "-C POSTROUTING" in words and words.replace("-C", "-I") not in rules:
            raise CommandError("no such rule")
        if "-I POSTROUTING" in words:
            rules.append(words)
        return ""

    monkeypatch.setattr(network, "output_of", output_of)
    for _ in range(2):
        network.join(["in-first"], 4711)
    assert len(rules) == len(set(rules)) == 2


def test_kind_has_one_node(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="Only a node of our own"):
        KindProvider(Cache(tmp_path), Reporter()).up(2)
