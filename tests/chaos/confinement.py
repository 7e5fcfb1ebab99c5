"""Small disks that can be filled, and groups of processes with little memory; both need root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dev.cluster.node.cgroups import mounted_hierarchies
from dev.waiting import wait_for

FILLER: Final = "filler"
EMPTY_TIMEOUT_S: Final = 60


class SmallDisk:
    """A file system in memory at a folder, which may be filled and freed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def has_room(self) -> bool:
        """Return whether anything is free."""
        return _free_bytes(self._folder) > 0

    def fill(self) -> None:
        """Take all that is free."""
        with (self._folder / FILLER).open("ab") as file, suppress(OSError):
            while free := _free_bytes(self._folder):
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)

    def free(self) -> None:
        """Give it back."""
        (self._folder / FILLER).unlink(missing_ok=True)


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[SmallDisk | None]:
    """Have a disk of so many MiB at the folder while the block lasts; None where mounts are not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


class MemoryGroup:
    """A control group (version 1) whose processes have so much memory together, and no more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def enter(self) -> list[str]:
        """Return what a command begins with to be in it."""
        return ["sh", "-c", f'echo $$ > {self._folder}/cgroup.procs && exec "$@"', "in-group"]

    @property
    def kills(self) -> int:
        """Return how often the kernel has killed one of its processes."""
        said = (self._folder / "memory.oom_control").read_text(encoding="ascii")
        return next((int(line.split()[1]) for line in said.splitlines() if line.startswith("oom_kill ")), 0)


def memory_groups() -> Path | None:
    """Return the folder of memory groups, None where none can be made here."""
    found = mounted_hierarchies(Path("/proc/self/mounts").read_text(encoding="utf-8"))
    mount = next((path for names, path in found.items() if "memory" in names), None)
    return mount if mount and os.access(mount, os.W_OK) else None


@contextmanager
def memory_group(mounted: Path, limit_bytes: int) -> Iterator[MemoryGroup]:
    """Have a group while the block lasts; its processes must have ended by then."""
    folder = mounted / f"gather-chaos-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "memory.limit_in_bytes").write_text(str(limit_bytes), encoding="ascii")
        yield MemoryGroup(folder)
    finally:
        wait_for("the group's processes to be gone", lambda: _removed(folder), EMPTY_TIMEOUT_S)


def _removed(folder: Path) -> bool:
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()
