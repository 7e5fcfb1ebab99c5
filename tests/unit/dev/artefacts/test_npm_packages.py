"""Packages of the npm registry are what their hash says, or are not used."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from dev.artefacts.npm_packages import Pinned, check_integrity, pinned_packages, take
from dev.artefacts.page_assets import ASSETS, ASSETS_SOURCES, TEST_ASSETS, TEST_SOURCES
from dev.errors import MachineError
from dev.paths import ROOT


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    """A package with one file, and another that climbs out of its folder."""
    path = tmp_path / "some-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("package/dist/a.js", "package/../../evil.js"):
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"ok"))
    return path


def test_only_the_pinned_bytes_are_taken(tarball: Path) -> None:
    """The error says what was found, so that it can be compared with the registry's."""
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()}"
    check_integrity(tarball, Pinned("some", "1.0.0", integrity))
    with pytest.raises(
        MachineError, match=r"some@1\.0\.0 is not what requirements/ pins: its hash is sha512-"
    ):
        check_integrity(tarball, Pinned("some", "1.0.0", "sha512-AAAA"))


def test_only_the_named_files_are_taken(tarball: Path, tmp_path: Path) -> None:
    """Under the names that we give them."""
    folder = tmp_path / "assets"
    folder.mkdir()
    take(tarball, {"dist/a.js": "b.js"}, folder)
    assert [file.name for file in folder.iterdir()] == ["b.js"]


def test_every_line_is_a_package_with_its_hash() -> None:
    """Scoped names too; another line is refused."""
    (found,) = pinned_packages("# words\n\n@scope/name@1.2.3 sha512-x==\n")
    assert found == Pinned("@scope/name", "1.2.3", "sha512-x==")
    with pytest.raises(MachineError, match="not NAME@VERSION"):
        list(pinned_packages("name sha512-x"))


@pytest.mark.parametrize(
    ("sources", "wanted"), [(ASSETS_SOURCES, ASSETS), (TEST_SOURCES, TEST_ASSETS)], ids=["page", "tests"]
)
def test_what_is_wanted_is_what_is_pinned(
    sources: tuple[str, ...], wanted: dict[str, dict[str, str]]
) -> None:
    """No package is fetched for nothing, and none is missing."""
    text = (ROOT / sources[0]).read_text(encoding="utf-8")
    assert {package.name for package in pinned_packages(text)} == set(wanted)
