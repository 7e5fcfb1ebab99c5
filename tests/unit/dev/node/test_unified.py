"""Control groups of version 2: what is handed on, and who has to step down first."""

from pathlib import Path

from dev.cluster.node import cgroups, unified


def _group(folder: Path, offered: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text(offered, encoding="ascii")
    (folder / "cgroup.subtree_control").touch()
    (folder / "cgroup.procs").touch()
    return folder


def test_version_2_is_known_by_its_controllers_file(tmp_path: Path) -> None:
    assert not unified.is_mounted(tmp_path)
    assert unified.is_mounted(_group(tmp_path, "cpu"))


def test_only_what_the_node_uses_is_handed_on(tmp_path: Path) -> None:
    group = _group(tmp_path, "cpuset cpu io memory hugetlb pids rdma misc\n")
    assert unified.controllers(group) == ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"]
    unified.hand_on(_group(tmp_path / "small", "memory\n"))
    assert (tmp_path / "small" / "cgroup.subtree_control").read_text(encoding="ascii") == "+memory"


def test_a_process_steps_down_into_a_group_of_its_own(tmp_path: Path) -> None:
    unified.step_down(_group(tmp_path, "cpu"), unified.OUTER, 4711)
    assert (tmp_path / "outer" / "cgroup.procs").read_text(encoding="ascii") == "4711"


def test_a_group_is_empty_when_no_process_is_left_in_it(tmp_path: Path) -> None:
    group = _group(tmp_path, "cpu")
    assert unified.is_empty(group)
    (group / "cgroup.procs").write_text("0\n1\n", encoding="ascii")
    assert not unified.is_empty(group)


def test_the_nodes_group_is_made_at_the_top_and_opened(tmp_path: Path) -> None:
    root = _group(tmp_path, "cpu memory")
    groups = cgroups.make_groups([cgroups.Hierarchy(cgroups.UNIFIED, root, "/")], "gather-node")
    assert groups == [tmp_path / "gather-node"]
    assert (root / "cgroup.subtree_control").read_text(encoding="ascii") == "+memory"
