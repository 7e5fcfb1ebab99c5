"""A limit of processor time for a process, by the control group that a kubelet sets a pod's limit with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PERIOD_US: Final = 100_000
"""The kubelet's."""
UNIFIED: Final = Path("/sys/fs/cgroup")
CPU_ALONE: Final = UNIFIED / "cpu"
"""Where version 1 has it."""


@contextmanager
def limited(pid: int, cores: float) -> Iterator[None]:
    """Let the process and what it starts have so many cores at most; needs root.

    The group is removed in the end, once the process has left it or has ended.
    """
    is_unified = (UNIFIED / "cgroup.controllers").exists()
    group = (UNIFIED if is_unified else CPU_ALONE) / f"gather-bench-{pid}"
    if is_unified:
        (UNIFIED / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
    group.mkdir()
    try:
        quota_us = round(cores * PERIOD_US)
        if is_unified:
            (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}", encoding="ascii")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US), encoding="ascii")
            (group / "cpu.cfs_quota_us").write_text(str(quota_us), encoding="ascii")
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
        yield
    finally:
        for left in (group / "cgroup.procs").read_text(encoding="ascii").split():
            (group.parent / "cgroup.procs").write_text(left, encoding="ascii")
        group.rmdir()
