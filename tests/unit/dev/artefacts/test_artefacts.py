"""Artefacts are whole or not there at all."""

from pathlib import Path

import pytest

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.progress import Reporter


@pytest.fixture
def artefacts(tmp_path: Path) -> Artefacts:
    """An empty cache."""
    return Artefacts(Cache(tmp_path), Reporter())


def test_an_artefact_is_made_once(artefacts: Artefacts) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "content").write_text("whole")

    first = artefacts.obtain("thing", "1", make)
    assert artefacts.obtain("thing", "1", make) == first
    assert (first / "content").read_text() == "whole"
    assert len(made) == 1


def test_another_version_is_another_folder(artefacts: Artefacts) -> None:
    folders = {artefacts.obtain("thing", version, lambda _folder: None) for version in ("1", "2")}
    assert len(folders) == 2


def test_what_failed_half_way_is_made_again_from_the_start(artefacts: Artefacts) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        artefacts.obtain("thing", "1", fail)
    folder = artefacts.obtain("thing", "1", lambda folder: (folder / "whole").touch())
    assert (folder / "whole").exists()
    assert not (folder / "half").exists()
