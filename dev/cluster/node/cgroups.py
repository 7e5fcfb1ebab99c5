"""A node's control groups: one group of its name in every hierarchy, where version 1 has several.

In version 1 it is below the group of the user who brought the node up; in version 2 it is at the top, since a
group with processes in it, such as a login session's, can give no controllers to those below.

The whole tree is put in them before its cgroup namespace is made. So the groups always show which
processes belong to the node, even when every other trace of them is lost, and `down` finds what to remove.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.node import layout, unified
from dev.errors import MachineError

ROOT = Path("/sys/fs/cgroup")
NAMES = frozenset(place.name for place in layout.PLACES)
NEEDED = frozenset({"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"})
UNIFIED = "unified"
"""Stands for the mount options of version 2, which has none."""
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")
FREEZERS = {"freezer.state": ("THAWED", "FROZEN"), "cgroup.freeze": ("0", "1")}
"""Of version 1 and 2: the file, and what is written to let a group's processes run, and to stop them."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One hierarchy: its mount options, where it is mounted, and the group that a node's is made in."""

    options: str
    mount: Path
    own_group: str

    def group(self, name: str) -> Path:
        """Return a node's group, as this side of the cgroup namespace sees it."""
        return self.mount / self.own_group.lstrip("/") / name


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


def make_groups(found: Iterable[Hierarchy], name: str) -> list[Path]:
    """Make a node's group in every hierarchy; return the groups."""
    groups = []
    for hierarchy in found:
        group = hierarchy.group(name)
        group.mkdir(exist_ok=True)
        if hierarchy.options == UNIFIED:
            unified.hand_on(hierarchy.mount)
        else:
            _inherit_cpuset(group)
        groups.append(group)
    return groups


def _inherit_cpuset(group: Path) -> None:
    """Give a new version 1 group the processors of its parent; it starts with none and could run nothing."""
    for name in CPUSET_FILES:
        if (group / name).exists():
            (group / name).write_text((group.parent / name).read_text(encoding="ascii"), encoding="ascii")


def existing_groups(root: Path = ROOT, wanted: Collection[str] = NAMES) -> list[Path]:
    """Return every group of the nodes on this machine, outermost first; `wanted` are the nodes' names."""
    found = []
    for folder, names, _ in os.walk(root):
        for name in NAMES.intersection(names):
            if name in wanted:
                found.append(Path(folder) / name)
            names.remove(name)
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


def set_frozen(groups: Iterable[Path], *, frozen: bool) -> None:
    """Stop all processes in the groups and below them where they are, or let them run; they cannot notice.

    Frozen ones of version 1 cannot be killed either.
    """
    for group in groups:
        for name, words in FREEZERS.items():
            if (group / name).exists():
                (group / name).write_text(words[frozen], encoding="ascii")


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
