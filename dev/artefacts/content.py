"""Digests of files: what was made of the same content is not made again."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

KEY_LENGTH = 16
IGNORED = frozenset(("__pycache__", ".git", ".venv"))
"""With what ends in the suffixes below: as `.dockerignore` has it for builds by hand."""
IGNORED_SUFFIXES = ("_cache", ".egg-info", ".pyc")


def is_ignored(name: str) -> bool:
    """Return whether a file or folder of that name is left out of builds."""
    return name in IGNORED or name.endswith(IGNORED_SUFFIXES)


def files_below(path: Path) -> Iterator[Path]:
    """Yield a file itself, or all files of a folder in a fixed order, without what is left out of builds."""
    if path.is_file():
        yield path
        return
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not is_ignored(name))
        yield from (Path(folder) / name for name in sorted(files) if not is_ignored(name))


def content_key(root: Path, sources: Iterable[str], others: Iterable[str]) -> str:
    """Return a digest of the sources' paths, contents and executable bits, and of the other words."""
    digest = hashlib.sha256()
    for word in others:
        digest.update(f"{word}\0".encode())
    for source in sources:
        for file in files_below(root / source):
            content = file.read_bytes()
            mode = "x" if os.access(file, os.X_OK) else "-"
            digest.update(f"{file.relative_to(root)}\0{mode}{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:KEY_LENGTH]
