"""Build into a temporary folder and move it into place when it is whole: half a build is never used.

A finished folder holds a stamp that names what it was made of. Where its name does too, checkouts with other
recipes that share a cache leave each other's builds alone; `keep_latest` then bounds how many there are.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Container, Iterable
from pathlib import Path

STAMP = ".complete"
IN_NAME = 8
"""Digits of a stamp in a folder's name: enough to tell a handful of recipes apart."""
KEPT = 3
"""Builds of one thing that stay: this checkout's, and two of other checkouts or of before."""


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


def recipe_name(version: str, stamp: str) -> str:
    """Return a version with its recipe, for a folder's name."""
    return f"{version}-{stamp[:IN_NAME]}"


def mark_used(folder: Path) -> None:
    """Note that a finished build was needed now, so that older ones go before it."""
    (folder / STAMP).touch()


def keep_latest(root: Path, name: str, spared: Container[Path] = ()) -> None:
    """Remove the finished builds of `name` below `root`, except the `KEPT` used last and those spared."""
    stamps = [stamp for folder in root.glob(f"{name}-*") if (stamp := folder / STAMP).exists()]
    for stamp in sorted(stamps, key=lambda stamp: stamp.stat().st_mtime_ns, reverse=True)[KEPT:]:
        if stamp.parent not in spared:
            shutil.rmtree(stamp.parent, ignore_errors=True)
