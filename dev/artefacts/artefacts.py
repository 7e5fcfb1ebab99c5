"""What is downloaded or built once and used often: a folder per version, whole or not there at all.

Two processes that want the same one wait for each other; the second then finds it made.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev.artefacts.cache import Cache, locked
from dev.artefacts.stamps import build_folder, is_complete

if TYPE_CHECKING:
    from dev.progress import Reporter


@dataclass(frozen=True, slots=True)
class Artefacts:
    """The finished things in a cache, and the way to make those that are missing."""

    cache: Cache
    reporter: "Reporter"

    @staticmethod
    def folder(cache: Cache, name: str, version: str) -> Path:
        """Return where the artefact is, or would be."""
        return cache.root / "artefacts" / f"{name}-{version}"

    def obtain(self, name: str, version: str, make: Callable[[Path], None]) -> Path:
        """Return the folder of artefact `name` at `version`, made by `make` if it is missing.

        Args:
            name: a file name, such as "neo4j".
            version: what the content depends on; another version is another folder.
            make: fills an empty folder, or raises; what it raises goes to the caller and nothing is kept.
        """
        folder = self.folder(self.cache, name, version)
        if not is_complete(folder, version):
            with self.locked(folder.name), self.reporter.step(f"Get {folder.name}"):
                build_folder(folder, version, make)
        return folder

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the lock `name` of this cache."""
        file = self.cache.root / "locks" / name
        with locked(file, f"another process that makes {name}", self.reporter.say):
            yield
