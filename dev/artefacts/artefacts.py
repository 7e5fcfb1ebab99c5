"""What is downloaded or built once and used often: a folder per version, whole or not there at all.

Two processes that want the same one wait for each other; the second then finds it made.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.artefacts.cache import Cache
from dev.artefacts.stamps import build_folder, is_complete
from dev.progress import Reporter


@dataclass(frozen=True, slots=True)
class Artefacts:
    """The finished things in a cache, and the way to make those that are missing."""

    cache: Cache
    reporter: Reporter

    def obtain(self, name: str, version: str, make: Callable[[Path], None]) -> Path:
        """Return the folder of artefact `name` at `version`, made by `make` if it is missing.

        Args:
            name: a file name, such as "neo4j".
            version: what the content depends on; another version is another folder.
            make: fills an empty folder, or raises; what it raises goes to the caller and nothing is kept.
        """
        folder = self.cache.root / "artefacts" / f"{name}-{version}"
        if not is_complete(folder, version):
            with self.locked(folder.name), self.reporter.step(f"Get {folder.name}"):
                build_folder(folder, version, make)
        return folder

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the lock `name` of this cache, which goes with its process."""
        locks = self.cache.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / name).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.reporter.say(f"Waiting for another process that makes {name} ...")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
