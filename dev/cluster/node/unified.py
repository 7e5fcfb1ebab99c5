"""Control groups of version 2, where one hierarchy holds every controller.

There a group with processes of its own can give no controller to the groups below it. So once the node's
namespaces are made, its two first processes step down: the outer one, which waits, from outside, and the
inner one from inside. Then the node's group is free to hand its controllers on.
"""

from pathlib import Path

WANTED = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")
"""What the kubelet and runc make use of."""
NEEDED = frozenset({"cpu", "cpuset", "memory", "pids"})
PROCESSES = "cgroup.procs"
OUTER = "outer"
INNER = "inner"


def is_mounted(root: Path) -> bool:
    """Return whether version 2 is what the machine has at the usual place."""
    return (root / "cgroup.controllers").exists()


def controllers(group: Path) -> list[str]:
    """Return the controllers that a group may hand on, of those that the node makes use of."""
    offered = (group / "cgroup.controllers").read_text(encoding="ascii").split()
    return [name for name in WANTED if name in offered]


def hand_on(group: Path) -> None:
    """Give the groups below a group its controllers; raises OSError if it has processes of its own."""
    for name in controllers(group):
        (group / "cgroup.subtree_control").write_text(f"+{name}", encoding="ascii")


def step_down(group: Path, name: str, pid: int) -> None:
    """Move a process of a group to one below it."""
    below = group / name
    below.mkdir(exist_ok=True)
    (below / PROCESSES).write_text(str(pid), encoding="ascii")


def is_empty(group: Path) -> bool:
    """Return whether a group has no process of its own."""
    return not (group / PROCESSES).read_text(encoding="ascii").split()
