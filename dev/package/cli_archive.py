"""`make cli`: an archive of the command line that needs Python 3.11 alone, and its Krew manifest.

It is built of what is installed here, which `requirements/cli.txt` pins; nothing compiled goes in, so one
archive fits every system. The same sources make the same bytes.
"""

import gzip
import hashlib
import io
import sys
import tarfile
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from dev.paths import ROOT

FOLDER: Final = ROOT / "dist"
DISTRIBUTIONS: Final = (
    "annotated-doc", "markdown-it-py", "mdurl", "pygments", "pyyaml", "rich", "shellingham", "typer",
    "typing-extensions",
)  # fmt: skip
ROOMS: Final = ("cli/gather_cli", "contracts/gather_contracts")
LEFT_OUT: Final = (".so", ".pyd", ".pyc", ".pyi")
MANIFEST: Final = ROOT / "cli" / "krew.yaml"
LAUNCHER: Final = """\
#!/usr/bin/env python3
import os
import sys

if sys.version_info < (3, 11):
    sys.exit("error: gather needs Python 3.11 or later, and python3 is %d.%d" % sys.version_info[:2])
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))

from gather_cli.main import main

main()
"""


def version() -> str:
    """Return the distribution's version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def contents() -> dict[str, bytes]:
    """Return the archive's files by path."""
    found = {f"lib/{path}": data for path, data in _sources()}
    launcher = LAUNCHER.encode()
    metadata = f"Metadata-Version: 2.1\nName: gather\nVersion: {version()}\n".encode()
    return found | {
        "gather": launcher,
        "kubectl-gather": launcher,
        f"lib/gather-{version()}.dist-info/METADATA": metadata,
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
    }


def _sources() -> Iterator[tuple[str, bytes]]:
    for room in ROOMS:
        folder = ROOT / room
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in LEFT_OUT and "__pycache__" not in path.parts:
                yield f"{folder.name}/{path.relative_to(folder)}", path.read_bytes()
    for name in DISTRIBUTIONS:
        for file in distribution(name).files or ():
            is_code = (
                file.parts[0] not in {"..", "bin"}
                and file.suffix not in LEFT_OUT
                and "__pycache__" not in file.parts
            )
            if is_code and file.name not in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}:
                yield str(file), Path(str(file.locate())).read_bytes()


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a gzipped tar of the files, the same each time."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o755 if name in {"gather", "kubectl-gather"} else 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()


def manifest(data: bytes) -> str:
    """Return the Krew manifest of an archive."""
    text = MANIFEST.read_text("utf-8")
    return text.replace("VERSION", version()).replace("SHA256", hashlib.sha256(data).hexdigest())


def write_archive(folder: Path) -> Path:
    """Write the archive into a folder, and `gather.yaml`, its Krew manifest; return the archive's path."""
    folder.mkdir(parents=True, exist_ok=True)
    data = archive(contents())
    target = folder / f"gather-cli-{version()}.tar.gz"
    target.write_bytes(data)
    (folder / "gather.yaml").write_text(manifest(data), "utf-8")
    return target


def main() -> None:
    """Write both into dist/."""
    if sys.argv[1:]:
        sys.exit("usage: python -m dev.package.cli_archive")
    target = write_archive(FOLDER)
    size = target.stat().st_size
    print(f"{target.relative_to(ROOT)}: {size:,} bytes; dist/gather.yaml is its Krew manifest")


if __name__ == "__main__":
    main()
