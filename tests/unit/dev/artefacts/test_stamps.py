"""Half a build is never used, and a changed recipe is built again."""

from pathlib import Path

import pytest

from dev.artefacts.stamps import build_folder, fingerprint, is_complete


def _write(folder: Path) -> None:
    (folder / "program").write_text("whole", encoding="ascii")


def test_a_finished_build_is_complete_for_its_own_recipe_only(tmp_path: Path) -> None:
    folder = tmp_path / "tool-1.0"
    build_folder(folder, "recipe", _write)
    assert is_complete(folder, "recipe")
    assert not is_complete(folder, "another recipe")


def test_a_complete_build_is_not_built_again(tmp_path: Path) -> None:
    folder = tmp_path / "tool-1.0"
    build_folder(folder, "recipe", _write)

    def fail(_: Path) -> None:
        raise AssertionError("built again")

    build_folder(folder, "recipe", fail)


def test_a_build_that_fails_leaves_nothing_that_counts_and_the_next_one_starts_clean(tmp_path: Path) -> None:
    folder = tmp_path / "tool-1.0"

    def break_off(half_done: Path) -> None:
        (half_done / "half").write_text("", encoding="ascii")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_folder(folder, "recipe", break_off)
    assert not is_complete(folder, "recipe")
    build_folder(folder, "recipe", _write)
    assert sorted(p.name for p in folder.iterdir()) == [".complete", "program"]
    assert [p.name for p in tmp_path.iterdir()] == ["tool-1.0"]


def test_a_folder_without_a_stamp_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "tool-1.0"
    folder.mkdir()
    (folder / "program").write_text("half", encoding="ascii")
    build_folder(folder, "recipe", _write)
    assert (folder / "program").read_text(encoding="ascii") == "whole"


def test_a_changed_recipe_replaces_the_build(tmp_path: Path) -> None:
    folder = tmp_path / "tool-1.0"
    build_folder(folder, "old", _write)
    build_folder(folder, "new", lambda into: (into / "program").touch())
    assert (folder / "program").read_text(encoding="ascii") == ""
    assert is_complete(folder, "new")


def test_fingerprints_tell_where_one_part_ends_and_the_next_begins() -> None:
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    assert fingerprint(["ab", "c"]) == fingerprint(["ab", "c"])
