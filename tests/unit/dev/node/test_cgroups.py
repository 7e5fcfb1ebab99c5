"""The node's control groups are found from what the kernel shows, and removed to the last."""

from pathlib import Path

import pytest

from dev.cluster.node import cgroups
from dev.errors import MachineError

MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
/dev/vda / ext4 rw 0 0
"""
OWN = "4:name=systemd:/\n3:memory:/session/7\n2:cpu,cpuacct:/\n1:misc:/\n0::/\n"


def test_each_hierarchy_has_its_mount_and_the_group_that_we_are_in() -> None:
    found = {h.options: h.group("gather-node") for h in cgroups.hierarchies(OWN, MOUNTS)}
    assert found == {
        "name=systemd": Path("/sys/fs/cgroup/systemd/gather-node"),
        "memory": Path("/sys/fs/cgroup/memory/session/7/gather-node"),
        "cpu,cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct/gather-node"),
    }


def test_a_mount_that_was_covered_counts_once() -> None:
    again = MOUNTS + "cgroup /elsewhere cgroup rw,memory 0 0\n"
    assert cgroups.mounted_hierarchies(again)[frozenset({"memory"})] == Path("/sys/fs/cgroup/memory")


def test_what_the_machine_does_not_offer_is_named() -> None:
    with pytest.raises(
        MachineError, match="no control groups for blkio, cpuset, which a Kubernetes node needs"
    ):
        cgroups.require_controllers({"cpuset", "blkio"})
    cgroups.require_controllers([])


def test_groups_are_found_wherever_they_were_made_and_removed_from_within(tmp_path: Path) -> None:
    first, second = tmp_path / "cpu" / "gather-node", tmp_path / "memory" / "session" / "gather-node"
    (first / "kubepods" / "pod1").mkdir(parents=True)
    second.mkdir(parents=True)
    found = cgroups.existing_groups(tmp_path)
    assert sorted(found) == [first, second]
    assert cgroups.remove_groups(found) == []
    assert cgroups.existing_groups(tmp_path) == []


def test_each_node_has_groups_of_its_own(tmp_path: Path) -> None:
    """Also where one pod's group is called like a node."""
    first, second = tmp_path / "cpu" / "gather-node", tmp_path / "cpu" / "gather-node-2"
    (first / "gather-node-2").mkdir(parents=True)
    second.mkdir()
    assert sorted(cgroups.existing_groups(tmp_path)) == [first, second]
    assert cgroups.existing_groups(tmp_path, ("gather-node-2",)) == [second]


def test_processes_are_stopped_and_let_run_in_either_version(tmp_path: Path) -> None:
    files = [tmp_path / "one" / "freezer.state", tmp_path / "two" / "cgroup.freeze"]
    for file in files:
        file.parent.mkdir()
        file.touch()
    groups = [*(file.parent for file in files), tmp_path / "cpu"]
    cgroups.set_frozen(groups, frozen=True)
    assert [file.read_text(encoding="ascii") for file in files] == ["FROZEN", "1"]
    cgroups.set_frozen(groups, frozen=False)
    assert [file.read_text(encoding="ascii") for file in files] == ["THAWED", "0"]


def test_a_group_in_use_is_reported(tmp_path: Path) -> None:
    group = tmp_path / "gather-node"
    (group / "kubepods").mkdir(parents=True)
    (group / "kubepods" / "busy").touch()
    assert cgroups.remove_groups([group]) == [group / "kubepods", group]


def test_processes_are_counted_in_all_groups_below(tmp_path: Path) -> None:
    group = tmp_path / "gather-node"
    (group / "kubepods").mkdir(parents=True)
    (group / "cgroup.procs").write_text("10\n11\n", encoding="ascii")
    (group / "kubepods" / "cgroup.procs").write_text("12\n", encoding="ascii")
    assert cgroups.processes_in([group]) == {10, 11, 12}
    assert cgroups.processes_in([tmp_path / "gone"]) == set()
