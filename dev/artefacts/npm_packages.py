"""Files out of packages of the npm registry, each package pinned by the hash of its tarball.

`npm pack` fetches a tarball by this machine's npm settings and runs nothing of it.
"""

import base64
import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.commands import run_logged
from dev.errors import MachineError

NPM_PACKAGES = {"npm": "npm"}
"""Debian's package, where there is no npm."""
DOWNLOAD_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Pinned:
    """One package."""

    name: str
    version: str
    integrity: str
    """As npm writes it: `sha512-` and the digest in base64."""


def pinned_packages(text: str) -> Iterator[Pinned]:
    """Yield the packages that a requirements file names; raises MachineError at a line that is none."""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        package, _, integrity = line.partition(" ")
        name, _, version = package.rpartition("@")
        if not (name and version and integrity.startswith("sha512-")):
            raise MachineError(f"not NAME@VERSION sha512-…: {line}")
        yield Pinned(name, version, integrity)


def check_integrity(tarball: Path, package: Pinned) -> None:
    """Raise MachineError unless the tarball has the pinned hash."""
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    found = f"sha512-{base64.b64encode(digest).decode()}"
    if found != package.integrity:
        raise MachineError(
            f"{package.name}@{package.version} is not what requirements/ pins: its hash is {found}. "
            "Nothing of it was kept; ask where it comes from before you pin another hash."
        )


def take(tarball: Path, files: Mapping[str, str], folder: Path) -> None:
    """Write files of a tarball (path in the package to new name) into the folder."""
    with tarfile.open(tarball) as archive:
        for source, name in files.items():
            content = archive.extractfile(f"package/{source}")
            if content is None:
                raise MachineError(f"{tarball.name} holds no file {source}")
            (folder / name).write_bytes(content.read())


def fetch_packages(
    requirements: Path, wanted: Mapping[str, Mapping[str, str]], folder: Path, log: Path
) -> None:
    """Fill the folder with the wanted files (package to path in it to new name) of the pinned packages."""
    tarballs = folder / "tarballs"
    tarballs.mkdir()
    for package in pinned_packages(requirements.read_text(encoding="utf-8")):
        pack = ["npm", "pack", "--silent", "--ignore-scripts", "--no-update-notifier"]
        address = f"{package.name}@{package.version}"
        run_logged(
            [*pack, "--pack-destination", str(tarballs), address],
            log,
            timeout_s=DOWNLOAD_TIMEOUT_S,
            cwd=folder,
        )
        (tarball,) = tarballs.iterdir()
        check_integrity(tarball, package)
        take(tarball, wanted[package.name], folder)
        tarball.unlink()
    tarballs.rmdir()
