"""What is unpacked of a wheel, and what names its version."""

import zipfile
from pathlib import Path

from dev.artefacts.wheels import extract, requirements_key


def test_a_requirements_file_with_other_hashes_has_another_key(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("a==1 --hash=sha256:1")
    first = requirements_key(file)
    file.write_text("a==1 --hash=sha256:2")
    assert requirements_key(file) != first


def test_programs_of_a_wheel_can_be_run_and_nothing_else(tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, mode in (("go/bin/go", 0o100755), ("go/VERSION", 0o100644)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, "content")
    extract(wheel, tmp_path / "out")
    assert (tmp_path / "out/go/bin/go").stat().st_mode & 0o111
    assert not (tmp_path / "out/go/VERSION").stat().st_mode & 0o111
