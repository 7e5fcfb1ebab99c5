"""What an image holds besides what its lock names: Debian's packages, and all licences, in CycloneDX's form.

Pure functions of the image's files, by their paths without a slash before them.
"""

import re
from collections.abc import Iterable, Mapping
from email.parser import Parser
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from packaging.utils import canonicalize_name

from dev.images.debian_status import STATUS, Package, parse_status

Files = Mapping[PurePosixPath, bytes]
Component = dict[str, Any]
DOCUMENTS: Final = PurePosixPath("usr/share/doc")
PYTHON: Final = "opt/gather/lib/python3*/site-packages/*.dist-info/METADATA"
OF_DEBIAN: Final = re.compile(r"^License: *(\S[^\n]*)$", re.MULTILINE)
"""A field of a copyright file in Debian's form."""
COMMON: Final = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.-]*[A-Za-z0-9])")
"""How older copyright files name a licence."""
CLASSIFIER: Final = "License :: OSI Approved :: "
NAME_LETTERS_MAX: Final = 80
"""Some packages have the whole text where the name belongs."""


def is_wanted(path: PurePosixPath) -> bool:
    """Return whether a file of an image is looked at here."""
    return (
        str(path) in {str(STATUS), "etc/debian_version"}
        or path.match(f"{DOCUMENTS}/*/copyright")
        or path.match(PYTHON)
    )


def complete(document: Component, files: Files) -> Component:
    """Return the CycloneDX document of an image: its lock's packages that it has, Debian's, licences."""
    licences = python_licences(files)
    listed = document.get("components", [])
    absent = {c["bom-ref"] for c in listed if canonicalize_name(c["name"]) not in licences}
    depends = [
        {**entry, "dependsOn": [ref for ref in entry.get("dependsOn", ()) if ref not in absent]}
        for entry in document.get("dependencies", ())
        if entry["ref"] not in absent
    ]
    there = {
        **document,
        "components": [c for c in listed if c["bom-ref"] not in absent],
        "dependencies": depends,
    }
    named = with_licences(there, licences)
    return {**named, "components": [*named["components"], *debian_components(files)]}


def with_licences(document: Component, licences: Mapping[str, list[Component]]) -> Component:
    """Return the document with those licences, by Python package, where they are known."""
    components = [
        {
            **component,
            **({"licenses": found} if (found := licences.get(canonicalize_name(component["name"]))) else {}),
        }
        for component in document.get("components", ())
    ]
    return {**document, "components": components}


def python_licences(files: Files) -> dict[str, list[Component]]:
    """Return each installed Python package's licence, in CycloneDX's form."""
    found: dict[str, list[Component]] = {}
    for path, content in files.items():
        if path.match(PYTHON):
            fields = Parser().parsestr(content.decode("utf-8", "replace"), headersonly=True)
            found[canonicalize_name(str(fields["Name"]))] = _licence_of(fields)
    return found


def _licence_of(fields: Any) -> list[Component]:
    if expression := fields.get("License-Expression"):
        return [{"expression": str(expression)}]
    classified = [
        c.removeprefix(CLASSIFIER) for c in fields.get_all("Classifier", ()) if c.startswith(CLASSIFIER)
    ]
    named = str(fields.get("License", "")).strip()
    return _named(
        classified or ([named] if named and len(named) <= NAME_LETTERS_MAX and "\n" not in named else [])
    )


def debian_components(files: Files) -> list[Component]:
    """Return Debian's packages in the image."""
    packages = parse_status(files[PurePosixPath(STATUS)].decode())
    release = files[PurePosixPath("etc/debian_version")].decode().strip()
    texts = {
        path.parent.name: content.decode("utf-8", "replace")
        for path, content in files.items()
        if path.name == "copyright"
    }
    by_source = {packages[name].source: text for name, text in sorted(texts.items()) if name in packages}
    system = {
        "type": "operating-system",
        "bom-ref": f"debian-{release}",
        "name": "debian",
        "version": release,
    }
    libraries = [
        _debian_component(package, release, texts.get(package.name) or by_source.get(package.source, ""))
        for package in sorted(packages.values(), key=lambda package: package.name)
    ]
    return [system, *libraries]


def _debian_component(package: Package, release: str, copyright_text: str) -> Component:
    upstream = f"&upstream={quote(package.source, safe='')}" if package.source != package.name else ""
    address = (
        f"pkg:deb/debian/{quote(package.name, safe='')}@{quote(package.version, safe='~')}"
        f"?arch={package.architecture}&distro=debian-{release}{upstream}"
    )
    licences = _named(debian_licences(copyright_text))
    return {
        "type": "library", "bom-ref": address, "name": package.name, "version": package.version,
        **({"licenses": licences} if licences else {}), "purl": address,
    }  # fmt: skip


def debian_licences(copyright_text: str) -> list[str]:
    """Return the names of the licences that a Debian copyright file gives."""
    return sorted(set(OF_DEBIAN.findall(copyright_text)) or set(COMMON.findall(copyright_text)))


def _named(names: Iterable[str]) -> list[Component]:
    return [{"license": {"name": name}} for name in names]


def licence_table(documents: Mapping[str, Component]) -> str:
    """Return a table, in Markdown, of all packages of the documents (by image) with their licences."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for image, document in sorted(documents.items()):
        for component in (c for c in document["components"] if c["type"] == "library"):
            names = [
                entry.get("expression") or entry["license"]["name"] for entry in component.get("licenses", ())
            ]
            key = (component["name"], component.get("version", ""), ", ".join(names) or "not named")
            rows.setdefault(key, []).append(image)
    lines = [
        f"| {name} | {version} | {licence} | {', '.join(images)} |"
        for (name, version, licence), images in sorted(rows.items())
    ]
    return "\n".join(["| package | version | licences | in |", "| --- | --- | --- | --- |", *lines, ""])
