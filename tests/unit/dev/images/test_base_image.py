"""What is left of Debian in a base image, and what rooms get of it."""

from pathlib import Path

import pytest

from dev.images.base_image import empty_folder, keep_what_runs, tidy
from dev.images.debian_status import INFO, STATUS, needed, parse_status
from dev.images.specs import IMAGES, Image
from dev.paths import ROOT

RECORD = """\
Package: python3
Status: install ok installed
Architecture: amd64
Version: 3.11.2-1+b1
Source: python3-defaults (3.11.2-1)
Pre-Depends: python3-minimal (= 3.11.2-1+b1)
Depends: libssl3 (>= 3.0.0), dpkg | debconf-2.0, awk, missing | tzdata

Package: python3-minimal
Status: install ok installed
Architecture: amd64
Version: 1

Package: libssl3
Status: install ok installed
Architecture: amd64
Version: 1

Package: mawk
Status: install ok installed
Architecture: amd64
Version: 1
Provides: awk

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1

Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1
Depends: libssl3

Package: perl-base
Status: install ok installed
Architecture: amd64
Version: 1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def test_emptying_a_folder_keeps_it_and_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "link").symlink_to(outside)
    (inside / "file").touch()
    empty_folder(inside)
    assert list(inside.iterdir()) == []
    assert (outside / "kept").exists()


def test_the_record_names_versions_sources_and_what_is_installed() -> None:
    packages = parse_status(RECORD)
    assert "gone" not in packages
    python = packages["python3"]
    assert (python.version, python.source) == ("3.11.2-1+b1", "python3-defaults")
    assert python.needs == (
        ("python3-minimal",), ("libssl3",), ("dpkg", "debconf-2.0"), ("awk",), ("missing", "tzdata"),
    )  # fmt: skip


def test_what_is_needed_follows_dependencies_but_for_those_of_installing() -> None:
    """An alternative that is there, and a package that provides another name."""
    packages = parse_status(RECORD)
    kept = needed(packages, ["python3"], frozenset(("dpkg",)))
    assert kept == {"python3", "python3-minimal", "libssl3", "mawk", "tzdata"}
    with pytest.raises(KeyError):
        needed(packages, ["nonsense"], frozenset())


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_package_goes_with_its_files_and_its_record_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what another one has too, nor what a link leads to outside of the image."""
    monkeypatch.setattr("dev.images.base_image.RUN_BY_ROOMS", ("python3",))
    monkeypatch.setattr("dev.images.base_image.ONLY_INSTALLS", frozenset(("dpkg", "mawk")))
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    (outside / "host").touch()
    write(
        root,
        {
            str(STATUS): RECORD,
            "usr/bin/python3": "",
            "usr/bin/perl": "",
            "usr/lib/perl/x": "",
            "usr/share/both": "",
        },
    )
    (root / "bin").symlink_to("usr/bin")
    (root / "run").symlink_to(outside)
    (root / "etc/alternatives").mkdir(parents=True)
    (root / "etc/alternatives/perl").symlink_to("/usr/bin/perl")
    (root / "usr/bin/pl").symlink_to("/etc/alternatives/perl")
    (root / "usr/sbin").mkdir()
    lists = {
        "python3": "/.\n/usr\n/usr/bin\n/usr/bin/python3\n/usr/share/both\n",
        "libssl3:amd64": "/usr\n/usr/lib\n",
        "perl-base": "/.\n/bin\n/bin/perl\n/usr/lib/perl\n/usr/lib/perl/x\n/usr/share/both\n/run/host\n",
    }
    write(root, {f"{INFO}/{name}.list": text for name, text in lists.items()})
    keep_what_runs(root)
    left = {str(path.relative_to(root)) for path in (root / "usr").rglob("*")}
    assert left == {"usr/bin", "usr/bin/python3", "usr/lib", "usr/sbin", "usr/share", "usr/share/both"}
    assert (outside / "host").exists()
    assert not list((root / "etc/alternatives").iterdir())
    kept = parse_status((root / STATUS).read_text())
    assert set(kept) == {"python3", "python3-minimal", "libssl3", "tzdata"}
    assert {path.name for path in (root / INFO).iterdir()} == {"python3.list", "libssl3:amd64.list"}


def test_a_fresh_base_keeps_copyrights_and_nothing_of_the_day_and_the_machine(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "usr/share/doc/a/copyright": "MIT", "usr/share/doc/a/changelog.gz": "", "var/log/dpkg.log": "",
            "etc/hostname": "builder", "etc/shadow": "root:*:20787:0:99999:7:::\nbin:*:20787:0:99999:7:::\n",
        },
    )  # fmt: skip
    (tmp_path / "usr/share/doc/b").symlink_to("a")
    tidy(tmp_path)
    assert {path.name for path in (tmp_path / "usr/share/doc").rglob("*")} == {"a", "b", "copyright"}
    assert not list((tmp_path / "var/log").iterdir())
    assert not (tmp_path / "etc/hostname").exists()
    assert (tmp_path / "etc/shadow").read_text() == "root:*::0:99999:7:::\nbin:*::0:99999:7:::\n"


@pytest.mark.parametrize(
    "image", [i for i in IMAGES if not i.dockerfile.startswith("dev/")], ids=lambda i: i.name
)
def test_compiled_code_holds_no_time_and_pip_stays_behind(image: Image) -> None:
    """Whatever pip compiles would hold its source's time, which is the build's."""
    dockerfile = (ROOT / image.dockerfile).read_text()
    installs = [
        line for line in dockerfile.replace("\\\n", " ").splitlines() if "--python /opt/gather" in line
    ]
    assert len(installs) == 2
    assert all("--no-compile" in line and "$COMPILE" in line for line in installs)
    assert "--invalidation-mode unchecked-hash" in dockerfile
    assert dockerfile.rpartition("FROM ")[2].startswith("${RUNTIME}\n")
