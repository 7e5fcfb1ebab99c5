"""The node's process tree: how it is launched, and what is left of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dev.cluster.node import layout, tree
from dev.errors import CommandError


def test_the_shell_enters_every_group_before_the_namespaces_are_made() -> None:
    groups = [Path("/cg/cpu"), Path("/cg/memory")]
    command = tree.launch_command(groups, Path("/cache/node"), layout.FIRST)
    assert command[:2] == ["sh", "-c"]
    assert command[4:8] == ["/cg/cpu", "/cg/memory", "--", "unshare"]
    assert command[-4:] == ["-m", "dev.cluster.node.init", "/cache/node", "gather-node"]
    assert "--kill-child" in command


def test_a_mount_point_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    empty, used = tmp_path / "empty", tmp_path / "used"
    empty.mkdir()
    used.mkdir()
    (used / "file").touch()
    for path in (empty, used, tmp_path / "missing"):
        tree.remove_if_empty(path)
    assert [p.name for p in tmp_path.iterdir()] == ["used"]


def test_a_failed_node_is_explained_by_its_own_files(tmp_path: Path) -> None:
    assert tree.failure_text(tmp_path) == f"it left no message; see {tmp_path / 'logs'}"
    (tmp_path / "failure.txt").write_text("etcd ended with 1\n", encoding="ascii")
    assert tree.failure_text(tmp_path) == "etcd ended with 1"


JUMP = "-N KUBE-ROUTER-FORWARD\n-A KUBE-ROUTER-FORWARD -s 10.244.0.5/32 -j KUBE-POD-FW-X\n"
LAST = "-A KUBE-ROUTER-FORWARD -m mark --mark 0x20000/0x20000 -j ACCEPT\n"


@pytest.mark.parametrize(("rules", "enforced"), [(None, False), (JUMP, False), (JUMP + LAST, True)])
def test_policies_are_enforced_once_all_rules_are_written(
    monkeypatch: pytest.MonkeyPatch, rules: str | None, enforced: bool
) -> None:
    """No chain yet, half of the rules, and the last one, in the node's network."""
    asked: list[Sequence[str]] = []

    def output_of(command: Sequence[str], **_: object) -> str:
        asked.append(command)
        if rules is None:
            raise CommandError("No chain/target/match by that name")
        return rules

    monkeypatch.setattr(tree, "output_of", output_of)
    assert tree.enforces_policies(tree.Tree(4711, Path("/cache/node"))) is enforced
    assert asked[0][:2] == ["nsenter", "--net=/proc/4711/ns/net"]
