"""Build into a temporary folder and move it into place when it is whole: half a build is never used.

A finished folder holds a stamp that names what it was made of; another recipe under the same name is
built again.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

STAMP = ".complete"


def fingerprint(parts: Iterable[str]) -> str:
    """Return a short digest of all that a build depends on."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:16]


def is_complete(folder: Path, stamp: str) -> bool:
    """Return whether the folder was finished from this recipe."""
    try:
        return (folder / STAMP).read_text(encoding="ascii") == stamp
    except (FileNotFoundError, NotADirectoryError):
        return False


def build_folder(folder: Path, stamp: str, build: Callable[[Path], None]) -> None:
    """Fill `folder` by `build`, or leave it alone if it is complete; the caller holds the cache's lock."""
    if is_complete(folder, stamp):
        return
    half_done = folder.with_name(f".{folder.name}.building")
    for leftover in (half_done, folder):
        shutil.rmtree(leftover, ignore_errors=True)
    half_done.mkdir(parents=True)
    build(half_done)
    (half_done / STAMP).write_text(stamp, encoding="ascii")
    os.sync()
    half_done.rename(folder)
