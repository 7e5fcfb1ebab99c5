"""What a release has beside its images: chart, CRD, command line, lists of packages, notes, checksums."""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dev.artefacts.artefacts import Artefacts
from dev.commands import output_of
from dev.errors import CommandError
from dev.package.cli_archive import write_archive
from dev.package.python_tools import python_tool
from dev.paths import ROOT
from dev.release.image_contents import (
    Files,
    complete,
    licence_table,
    python_licences,
    with_licences,
)
from dev.release.version_texts import CHANGELOG, notes_of

CHART: Final = ROOT / "charts" / "gather"
CHARTS_PATH: Final = "charts"
"""Below the registry's path: the chart's name follows, as Helm wants it."""
NAMED_REGISTRY: Final = "ghcr.io/gather"
"""What the sources name; a packaged chart names the registry that has its images."""
ROOMS: Final = ("operator", "worker", "brain", "bridge")
HELM_TIMEOUT_S: Final = 120
SBOM_TIMEOUT_S: Final = 120
SUMS: Final = "SHA256SUMS"


def write_chart(folder: Path, version: str, registry: str, helm: Path, *, plain_http: bool) -> bool:
    """Have the chart's package in the folder; return whether the registry has it already.

    What is there is not made again: a package of the same sources has other bytes each time.
    """
    name = [f"oci://{registry}/{CHARTS_PATH}/gather", "--version", version]
    try:
        _helm(helm, "pull", *name, "--destination", str(folder), plain_http=plain_http)
    except CommandError:
        _package(folder, registry, helm)
        return False
    return True


def push_chart(folder: Path, version: str, registry: str, helm: Path, *, plain_http: bool) -> None:
    """Give the registry the chart's package; raises CommandError with Helm's words."""
    package = str(folder / f"gather-{version}.tgz")
    _helm(helm, "push", package, f"oci://{registry}/{CHARTS_PATH}", plain_http=plain_http)


def _helm(helm: Path, verb: str, *words: str, plain_http: bool) -> None:
    flags = ["--plain-http"] if plain_http else []
    output_of([helm, verb, *words, *flags], timeout_s=HELM_TIMEOUT_S)


def _package(folder: Path, registry: str, helm: Path) -> None:
    """Package the chart with the registry's name in it."""
    with tempfile.TemporaryDirectory(prefix="gather-chart-") as work:
        copy = Path(work) / CHART.name
        shutil.copytree(CHART, copy)
        for name in ("Chart.yaml", "values.yaml", "README.md"):
            text = (copy / name).read_text("utf-8")
            (copy / name).write_text(text.replace(f"{NAMED_REGISTRY}/", f"{registry}/"), "utf-8")
        output_of([helm, "package", copy, "--destination", folder], timeout_s=HELM_TIMEOUT_S)


def write_files(
    folder: Path,
    version: str,
    digests: Mapping[str, str],
    contents: Mapping[str, Files],
    artefacts: Artefacts,
) -> None:
    """Write everything else, and the checksums of all.

    Args:
        folder: where the chart's package is already.
        version: of the release.
        digests: of each room's image in the registry.
        contents: of each room's image, the files that lists of its packages are made of.
        artefacts: the way to the program that lists packages.
    """
    for crd in (ROOT / "crds").glob("*.yaml"):
        shutil.copy(crd, folder)
    write_archive(folder)
    (folder / "digests.yaml").write_text(digest_values(digests), "utf-8")
    changelog = (ROOT / CHANGELOG).read_text("utf-8")
    (folder / "notes.md").write_text(f"{notes_of(changelog, version)}\n", "utf-8")
    write_sboms(folder, python_tool("sbom", artefacts), contents)
    (folder / SUMS).write_text(checksums(folder), "utf-8")


def digest_values(digests: Mapping[str, str]) -> str:
    """Return values for the chart by which images are pulled by digest."""
    lines = [f"{room}: {{image: {{digest: {digest!r}}}}}" for room, digest in sorted(digests.items())]
    return "\n".join(
        ["# helm install … --values digests.yaml: images by digest, whatever tags say.", *lines, ""]
    )


def write_sboms(folder: Path, tool: Path, contents: Mapping[str, Files]) -> None:
    """Write a CycloneDX document for each image and the command line, and a table of all licences.

    Args:
        folder: where they are written.
        tool: the folder of the program that lists a lock's packages, with their hashes.
        contents: of each room's image, the files that `image_contents` looks at.
    """
    documents = {}
    for name in (*ROOMS, "cli"):
        file = folder / f"{name}.cdx.json"
        command: list[str | Path] = [
            sys.executable, "-m", "cyclonedx_py", "requirements", ROOT / "requirements" / f"{name}.txt",
            "--pyproject", ROOT / "pyproject.toml", "--mc-type", "application", "--output-reproducible",
            "--output-format", "JSON", "--output-file", file,
        ]  # fmt: skip
        output_of(command, timeout_s=SBOM_TIMEOUT_S, env={"PYTHONPATH": str(tool)})
        documents[name] = json.loads(file.read_text("utf-8"))
        known = {n: found for files in contents.values() for n, found in python_licences(files).items()}
        whole = complete(documents[name], contents[name]) if name in contents else None
        documents[name] = whole or with_licences(documents[name], known)
        file.write_text(json.dumps(documents[name], indent=2) + "\n", "utf-8")
    (folder / "licences.md").write_text(licence_table(documents), "utf-8")


def checksums(folder: Path) -> str:
    """Return the files' SHA-256, as `sha256sum --check` reads them."""
    files = sorted(file for file in folder.iterdir() if file.name != SUMS)
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
