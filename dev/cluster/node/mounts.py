"""What the node sees of the file system: its own cgroup mounts, /run and /var/log, and no host-wide sysctl.

Runs inside the node's mount namespace only; nothing here is seen outside, and all goes with the namespace.
"""

import os
from pathlib import Path

from dev.cluster.node import layout, unified
from dev.cluster.node.cgroups import ROOT, hierarchies
from dev.commands import output_of

SYSCTLS = {"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"}
"""What the kubelet insists on writing, and what it writes: files over them keep the machine as it was."""


def _mount(*arguments: str | Path) -> None:
    output_of(["mount", *arguments])


def mount_cgroups() -> None:
    """Mount every hierarchy again, so that its root is the node's own group."""
    if unified.is_mounted(ROOT):
        # The kernel refuses one file system twice at one place, and here it is to have another root.
        output_of(["umount", "--lazy", ROOT])
        _mount("-t", "cgroup2", "cgroup2", ROOT)
        unified.step_down(ROOT, unified.INNER, os.getpid())
    else:
        _mount_version_1()


def _mount_version_1() -> None:
    """Mount one version 1 hierarchy after the other.

    Both files are read again here: in this cgroup namespace our own group is the root.
    """
    own = Path("/proc/self/cgroup").read_text(encoding="ascii")
    found = hierarchies(own, Path("/proc/self/mounts").read_text(encoding="utf-8"))
    _mount("-t", "tmpfs", "-o", "mode=755", "cgroup_root", ROOT)
    for hierarchy in found:
        folder = ROOT / hierarchy.options.removeprefix("name=")
        folder.mkdir()
        has_name = hierarchy.options.startswith("name=")
        _mount(
            "-t",
            "cgroup",
            "-o",
            f"none,{hierarchy.options}" if has_name else hierarchy.options,
            "cgroup",
            folder,
        )


def mount_all(node_folder: Path) -> None:
    """Lay out the node's file system; the node's folder appears as `layout.INSIDE`."""
    _mount("--make-rshared", "/")
    mount_cgroups()
    _mount("-t", "tmpfs", "-o", "mode=755", "gather-run", "/run")
    for folder in ("/run/containerd", "/run/lock", str(layout.INSIDE)):
        Path(folder).mkdir(exist_ok=True)
    _mount("--bind", node_folder, layout.INSIDE)
    _mount("--make-rshared", layout.INSIDE)
    _mount("--bind", layout.INSIDE / "var-log", "/var/log")
    for name, path in layout.BORROWED.items():
        _mount("--bind", layout.INSIDE / name, path)
    for name, value in SYSCTLS.items():
        stand_in = layout.INSIDE / "config" / name.replace("/", ".")
        stand_in.write_text(value, encoding="ascii")
        _mount("--bind", stand_in, f"/proc/sys/{name}")
