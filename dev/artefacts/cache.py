"""Where everything lives that is built, downloaded or run: one folder outside the repository.

Only the standard library, since `dev/kubectl` and `dev/helm` start through here many times a minute.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.errors import MachineError

ENVIRONMENT_NAME = "GATHER_CACHE"
GIB = 1024**3


def default_root() -> Path:
    """Return the folder that GATHER_CACHE names, else `gather` in the user's cache folder."""
    if named := os.environ.get(ENVIRONMENT_NAME):
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gather"


@dataclass(frozen=True, slots=True)
class Cache:
    """The layout of the cache folder."""

    root: Path

    @classmethod
    def from_environment(cls) -> "Cache":
        """Return the cache that GATHER_CACHE, or its default, names."""
        return cls(default_root())

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster that runs now; its context is `gather-dev`."""
        return self.root / "kubeconfig"

    @property
    def node(self) -> Path:
        """All that the running node writes: logs, keys, etcd's data, images. `down` removes it."""
        return self.root / "node"

    @property
    def second_node(self) -> Path:
        """The same for a second node: its logs, keys and images."""
        return self.root / "node-2"

    @property
    def tool_state(self) -> Path:
        """What kubectl and Helm remember of the cluster; goes with it."""
        return self.root / "tools"

    @property
    def logs(self) -> Path:
        """What builds and installations printed."""
        return self.root / "logs"

    def program_folder(self, name: str, version: str) -> Path:
        """The folder of one built thing; another version gets another folder."""
        return self.root / f"{name}-{version}"

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Keep other `python -m dev` commands from changing the cluster or the cache in the block."""
        with locked(self.root / "lock", f"another command that changes {self.root}", say):
            yield


@contextmanager
def locked(file: Path, holder: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock file, which goes with its process; says that it waits for `holder` if another holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for {holder} ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise MachineError unless the file system of `folder` has so much free."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise MachineError(
            f"{what} needs {needed_bytes / GIB:.1f} GiB in {folder}, but only {free_bytes / GIB:.1f} GiB "
            f"are free. Free some space, or name a folder on a larger disk with {ENVIRONMENT_NAME}=FOLDER."
        )
