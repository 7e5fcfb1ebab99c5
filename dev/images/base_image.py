"""The base image that debootstrap makes, and the one that rooms run on: the same without what only installs.

Both are the same bytes each time, as long as Debian's packages are the same.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dev.commands import output_of
from dev.images.debian_status import INFO, STATUS, needed, parse_status

EPOCH_S: Final = 1767225600
"""2026-01-01: the time of images and of their files; Dockerfiles name it too. With the time of a commit,
an image whose content stayed would get another digest, and every node would pull it again."""
SUITE: Final = "bookworm"
BASE_PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
LEFT_OUT: Final = (
    "var/cache/apt", "var/cache/debconf", "var/cache/ldconfig", "var/lib/apt/lists", "var/log",
    "usr/share/info", "usr/share/lintian", "usr/share/locale", "usr/share/man",
)  # fmt: skip
"""What no program reads, or is written again when it is needed."""
DOCUMENTS: Final = "usr/share/doc"
COPYRIGHT: Final = "copyright"
MACHINES_OWN: Final = (
    "etc/hostname", "etc/resolv.conf", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-",
    "var/lib/dpkg/status-old", "var/lib/dpkg/diversions-old", "var/lib/dpkg/statoverride-old",
)  # fmt: skip
"""Copied from the machine that builds, and former states."""
LAST_CHANGE: Final = re.compile(r"^([^:]*:[^:]*):\d+:", re.MULTILINE)
"""In etc/shadow: the day on which a password was last changed, which is the day of the build."""
RUN_BY_ROOMS: Final = (
    "base-files",
    "ca-certificates",
    "coreutils",
    "dash",
    "libc-bin",
    "libstdc++6",
    "python3",
    "tzdata",
)
"""Python, what its wheels link, authorities and time zones; for `kubectl exec` a shell and usual commands."""
ONLY_INSTALLS: Final = frozenset(
    ("debconf", "debianutils", "dpkg", "init-system-helpers", "mawk", "openssl", "perl-base")
)
"""What those depend on for their installation's scripts alone."""


def base_recipe_key() -> str:
    """Return the key of the images that debootstrap makes."""
    words = (*BASE_PACKAGES, "", *LEFT_OUT, "", *MACHINES_OWN, "", *RUN_BY_ROOMS, "", *sorted(ONLY_INSTALLS))
    recipe = "\n".join((SUITE, str(EPOCH_S), *words))
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def empty_folder(folder: Path) -> None:
    """Remove what is in a folder, if there is one, and leave the folder."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def tidy(root: Path) -> None:
    """Remove from a fresh root file system what no program reads, and what differs from build to build.

    Copyright files stay, as licences ask for.
    """
    for path in LEFT_OUT:
        empty_folder(root / path)
    for file in _files(root / DOCUMENTS):
        if file.name != COPYRIGHT and not (file.is_symlink() and file.is_dir()):
            file.unlink()
    for path in MACHINES_OWN:
        (root / path).unlink(missing_ok=True)
    shadow = root / "etc/shadow"
    shadow.write_text(LAST_CHANGE.sub(r"\1::", shadow.read_text("utf-8")), "utf-8")


def compile_python(root: Path) -> None:
    """Compile Debian's Python code again, to what holds no time of its source and is not compared with it."""
    _remove_compiled(root)
    words = ["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    names = [f"/{library.relative_to(root)}" for library in _libraries(root)]
    output_of(["chroot", root, *words, *names], timeout_s=600, env={"PYTHONHASHSEED": "0"})


def keep_what_runs(root: Path) -> None:
    """Remove the packages that no room runs on, from disk and from dpkg's record, which scanners read."""
    _remove_compiled(root)
    packages = parse_status((root / STATUS).read_text("utf-8"))
    kept = needed(packages, RUN_BY_ROOMS, ONLY_INSTALLS)
    gone = packages.keys() - kept
    spared = {path for name in kept for path in _installed(root, name)}
    folders = set()
    for path in {path for name in gone for path in _installed(root, name)} - spared:
        if path.is_dir() and not path.is_symlink():
            folders.add(path)
        else:
            path.unlink(missing_ok=True)
    for folder in sorted(folders, reverse=True):
        _remove_if_empty(folder)
    for name in gone:
        for file in (*(root / INFO).glob(f"{name}.*"), *(root / INFO).glob(f"{name}:*.*")):
            file.unlink()
    stanzas = [package.stanza for name, package in packages.items() if name in kept]
    (root / STATUS).write_text("\n\n".join(stanzas) + "\n\n", "utf-8")
    for place in ("etc/alternatives", "usr/bin", "usr/sbin"):
        _remove_links_to_nothing(root, root / place)


def _libraries(root: Path) -> list[Path]:
    return sorted((root / "usr/lib").glob("python3*"))


def _remove_compiled(root: Path) -> None:
    for folder in [folder for library in _libraries(root) for folder in library.rglob("__pycache__")]:
        shutil.rmtree(folder)


def _installed(root: Path, package: str) -> Iterator[Path]:
    """Yield the paths that a package installed, with their folders' links followed, inside the root alone."""
    inside = root.resolve()
    for file in ((root / INFO) / f"{package}.list", *(root / INFO).glob(f"{package}:*.list")):
        for line in file.read_text("utf-8").splitlines() if file.exists() else ():
            path = root / line.lstrip("/")
            real = Path(os.path.realpath(path.parent), path.name)
            # var/run and the like are links to places of the machine that builds.
            if real.is_relative_to(inside) and real != inside and line != "/.":
                yield real


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _remove_links_to_nothing(root: Path, folder: Path) -> None:
    """Remove links whose target is gone; those that start at / start at the root."""
    for link in [path for path in folder.iterdir() if path.is_symlink()]:
        target = link.readlink()
        place = root / target.relative_to("/") if target.is_absolute() else link.parent / target
        if not os.path.lexists(place):
            link.unlink()
