"""What is downloaded or built once and used often: a folder per version, whole or not there at all.

An artefact is made in a folder beside its own, stamped, and renamed into place, so that what an
interrupted build left behind is never used. Two processes that want the same one wait for each other.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.cache import Cache
from dev.progress import Reporter

STAMP = ".complete"
"""The last file written into an artefact before it gets its name."""


def is_complete(folder: Path) -> bool:
    """Tell whether `folder` holds a whole artefact."""
    return (folder / STAMP).is_file()


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
        if is_complete(folder):
            return folder
        with self.locked(folder.name):
            if not is_complete(folder):
                self._make(folder, make)
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

    def _make(self, folder: Path, make: Callable[[Path], None]) -> None:
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            with self.reporter.step(f"Get {folder.name}"):
                make(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        (partial / STAMP).touch()
        os.sync()  # a machine that stops now must not keep the name and lose the files
        partial.rename(folder)
