"""The node's control groups: one named group in every hierarchy, where version 1 has several.

In version 1 it is below the group of the user who brought the node up; in version 2 it is at the top, since a
group with processes in it, such as a login session's, can give no controllers to those below.

The whole tree is put in them before its cgroup namespace is made. So the groups always show which
processes belong to the node, even when every other trace of them is lost, and `down` finds what to remove.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.node import layout, unified
from dev.errors import MachineError

ROOT = Path("/sys/fs/cgroup")
NEEDED = frozenset({"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"})
UNIFIED = "unified"
"""Stands for the mount options of version 2, which has none."""
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One hierarchy: its mount options, where it is mounted, and the group that the node's is made in."""

    options: str
    mount: Path
    own_group: str

    @property
    def group(self) -> Path:
        """The node's group, as this side of the cgroup namespace sees it."""
        return self.mount / self.own_group.lstrip("/") / layout.CGROUP


def mounted_hierarchies(mounts: str) -> dict[frozenset[str], Path]:
    """Return where each version 1 hierarchy is mounted, by its controllers, from /proc/self/mounts."""
    found: dict[frozenset[str], Path] = {}
    for line in mounts.splitlines():
        _, mount, kind, options, *_ = line.split()
        if kind == "cgroup":
            names = {o for o in options.split(",") if o in NEEDED or o.startswith("name=")}
            found.setdefault(frozenset(names), Path(mount))
    return found


def hierarchies(own_groups: str, mounts: str) -> list[Hierarchy]:
    """Return the hierarchies that we are in, from the texts of /proc/self/cgroup and /proc/self/mounts."""
    mounted = mounted_hierarchies(mounts)
    found = []
    for line in own_groups.splitlines():
        _, controllers, path = line.split(":", 2)
        mount = mounted.get(frozenset(controllers.split(",")))
        if controllers and mount:
            found.append(Hierarchy(controllers, mount, path))
    return found


def require_controllers(missing: Iterable[str]) -> None:
    """Raise MachineError if a controller that a node needs is missing."""
    if names := ", ".join(sorted(missing)):
        raise MachineError(
            f"This machine offers no control groups for {names}, which a Kubernetes node needs. "
            f"Mount them (see `mount -t cgroup` and {ROOT}), or run on a machine, not inside a container."
        )


def own_hierarchies() -> list[Hierarchy]:
    """Return the hierarchies that this process is in; raises MachineError if the node cannot run on them."""
    if unified.is_mounted(ROOT):
        require_controllers(unified.NEEDED - set(unified.controllers(ROOT)))
        return [Hierarchy(UNIFIED, ROOT, "/")]
    own = Path("/proc/self/cgroup").read_text(encoding="ascii")
    found = hierarchies(own, Path("/proc/self/mounts").read_text(encoding="utf-8"))
    require_controllers(NEEDED - {option for hierarchy in found for option in hierarchy.options.split(",")})
    return found


def make_groups(found: Iterable[Hierarchy]) -> list[Path]:
    """Make the node's group in every hierarchy; return the groups."""
    groups = []
    for hierarchy in found:
        hierarchy.group.mkdir(exist_ok=True)
        if hierarchy.options == UNIFIED:
            unified.hand_on(hierarchy.mount)
        else:
            _inherit_cpuset(hierarchy.group)
        groups.append(hierarchy.group)
    return groups


def _inherit_cpuset(group: Path) -> None:
    """Give a new version 1 group the processors of its parent; it starts with none and could run nothing."""
    for name in CPUSET_FILES:
        if (group / name).exists():
            (group / name).write_text((group.parent / name).read_text(encoding="ascii"), encoding="ascii")


def existing_groups(root: Path = ROOT) -> list[Path]:
    """Return every group of a node on this machine, outermost first."""
    found = []
    for folder, names, _ in os.walk(root):
        if layout.CGROUP in names:
            found.append(Path(folder) / layout.CGROUP)
            names.remove(layout.CGROUP)
    return found


def _folders_below(group: Path) -> Iterator[Path]:
    """Yield the group and all below it, innermost first."""
    for folder, _, _ in os.walk(group, topdown=False):
        yield Path(folder)


def processes_in(groups: Iterable[Path]) -> set[int]:
    """Return the ids of all processes in the groups and below them."""
    found: set[int] = set()
    for group in groups:
        for folder in _folders_below(group):
            try:
                found.update(map(int, (folder / "cgroup.procs").read_text(encoding="ascii").split()))
            except OSError:  # the group went away with its last process
                continue
    return found


def remove_groups(groups: Iterable[Path]) -> list[Path]:
    """Remove the groups and all below them; return those that are still there."""
    left = []
    for group in groups:
        for folder in _folders_below(group):
            try:
                folder.rmdir()
            except OSError:
                left.append(folder)
    return left
