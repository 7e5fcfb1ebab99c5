"""What a list of an image's packages has besides the lock: Debian's packages, and licences."""

from pathlib import PurePosixPath

from dev.release.image_contents import complete, debian_licences, is_wanted, licence_table

SITE = "opt/gather/lib/python3.11/site-packages"
STATUS = """\
Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-12
Version: 12.2.0-14+deb12u1

Package: gcc-12-base
Status: install ok installed
Architecture: amd64
Source: gcc-12
Version: 12.2.0-14+deb12u1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1:2026b-0+deb12u1
"""
CLASSIFIED = "Classifier: License :: OSI Approved :: MIT License"
FILES = {
    PurePosixPath(path): text.encode()
    for path, text in {
        "var/lib/dpkg/status": STATUS,
        "etc/debian_version": "12.12\n",
        "usr/share/doc/gcc-12-base/copyright": "See /usr/share/common-licenses/GPL-3.",
        f"{SITE}/a-1.dist-info/METADATA": "Name: Some.Package\nLicense-Expression: MIT OR BSD-2-Clause\n",
        f"{SITE}/b-1.dist-info/METADATA": f"Name: b\nLicense: {'x' * 90}\n{CLASSIFIED}\n",
        f"{SITE}/c-1.dist-info/METADATA": "Name: c\nLicense: BSD\n",
        f"{SITE}/d-1.dist-info/METADATA": "Name: d\n",
    }.items()
}
NAMES = ("some-package", "b", "c", "d")


def library(name: str) -> dict[str, str]:
    """A component as the lock's document has it."""
    return {"type": "library", "bom-ref": f"ref-{name}", "name": name, "version": "1"}


def test_what_a_lock_has_for_other_machines_is_not_in_the_document() -> None:
    depends = [{"ref": "ref-c", "dependsOn": ["ref-colorama", "ref-d"]}, {"ref": "ref-colorama"}]
    listed = {"components": [library("c"), library("colorama"), library("d")], "dependencies": depends}
    document = complete(listed, FILES)
    assert [c["name"] for c in document["components"]][:3] == ["c", "d", "debian"]
    assert document["dependencies"] == [{"ref": "ref-c", "dependsOn": ["ref-d"]}]


def test_only_what_is_read_is_taken_out_of_an_image() -> None:
    assert all(is_wanted(path) for path in FILES)
    assert not is_wanted(PurePosixPath(f"{SITE}/a/METADATA"))
    assert not is_wanted(PurePosixPath("usr/share/doc/a/changelog"))


def test_debian_s_packages_are_named_as_scanners_know_them() -> None:
    """With the source that advisories name, and with the licences of a copyright file that several share."""
    system, base, library, zones = complete({}, FILES)["components"]
    assert (system["type"], system["name"], system["version"]) == ("operating-system", "debian", "12.12")
    assert library["purl"] == (
        "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12.12&upstream=gcc-12"
    )
    assert base["licenses"] == library["licenses"] == [{"license": {"name": "GPL-3"}}]
    assert zones["purl"].startswith("pkg:deb/debian/tzdata@1%3A2026b-0%2Bdeb12u1?")
    assert "licenses" not in zones


def test_python_s_packages_get_the_licence_that_they_declare() -> None:
    """An expression goes first, then classifiers; a whole text is no name."""
    listed = {"components": [library(name) for name in NAMES]}
    found = [component.get("licenses") for component in complete(listed, FILES)["components"][: len(NAMES)]]
    assert found == [
        [{"expression": "MIT OR BSD-2-Clause"}],
        [{"license": {"name": "MIT License"}}],
        [{"license": {"name": "BSD"}}],
        None,
    ]


def test_a_copyright_file_names_licences_in_either_form() -> None:
    text = "Files: *\nLicense: GPL-2+\n text\n\nFiles: b\nLicense: Expat\n\n"
    text += "License: GPL-2+\n see /usr/share/common-licenses/GPL-2.\n"
    assert debian_licences(text) == ["Expat", "GPL-2+"]
    assert debian_licences("in /usr/share/common-licenses/LGPL-2.1.") == ["LGPL-2.1"]
    assert debian_licences("public domain") == []


def test_a_table_names_each_package_once_with_its_images() -> None:
    document = complete({"components": [library("c")]}, FILES)
    lines = licence_table({"worker": document, "brain": document}).splitlines()
    assert "| c | 1 | BSD | brain, worker |" in lines
    assert "| tzdata | 1:2026b-0+deb12u1 | not named | brain, worker |" in lines
    assert len(lines) == len(set(lines)) == 2 + 4
