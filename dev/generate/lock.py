"""Pin what each room installs, with hashes: `python -m dev.generate.lock`, called by `make lock`.

One resolution for all extras comes first (`requirements/dev.txt`, the development environment); every
room is then held to it, so that tests run on the versions that the images hold. The result fits every
Python from 3.11 on: Debian's 3.11.2 needs a package more than 3.11.3 does.
"""

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from dev.paths import ROOT

PYPROJECT = ROOT / "pyproject.toml"
REQUIREMENTS = ROOT / "requirements"
PYTHON = "3.11"
CLIENT_GENERATOR = "openapi-python-client==0.29.1"
"""What tests make Python clients with, apart from the rest: it wants an older typer."""
DOCS_SITE = "furo>=2025.12.19\nmyst-parser>=5.2\nsphinx>=9"
"""What `make docs` makes the site with, apart from the rest: no test needs it."""
SBOM = "cyclonedx-bom>=7.5"
"""What a release lists its images' packages with, apart from the rest."""
SCAN = "bandit>=1.9\ncheckov>=3.3\nhadolint-bin>=2.15\nkubernetes-validate>=1.37"
"""The scanners of `make scan` that are wheels, apart from the rest."""
PARTS = ("operator", "worker", "brain", "bridge", "cli", "demo", "cluster")
"""Extras that are installed alone somewhere."""
TIMEOUT_S = 600
HEADER = "# Made by `make lock` from pyproject.toml; not to be edited.\n"


def compile_command(
    output: Path, sources: Sequence[str], extras: Sequence[str], constraint: Path | None, *, upgrade: bool
) -> list[str]:
    """Return the command that pins `sources` with those extras into `output`.

    Without `upgrade`, what `output` pins already stays where it still fits.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", PYTHON, "--strip-extras", "--no-header", "--no-annotate"]
    command += ["--output-file", str(output)]
    for extra in extras:
        command += ["--extra", extra]
    if constraint:
        command += ["--constraint", str(constraint)]
    if upgrade:
        command += ["--upgrade"]
    return [*command, *sources]


def _compile(command: Sequence[str], output: Path, stdin: str | None = None) -> None:
    subprocess.run(command, input=stdin, text=True, check=True, timeout=TIMEOUT_S, cwd=ROOT)
    pinned = output.read_text(encoding="utf-8").removeprefix(HEADER)
    output.write_text(HEADER + pinned, encoding="utf-8")


def main() -> None:
    """Write every lock; `--upgrade` takes the newest versions that fit."""
    upgrade = "--upgrade" in sys.argv[1:]
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    everything, build = REQUIREMENTS / "dev.txt", REQUIREMENTS / "build.txt"
    extras = list(project["project"]["optional-dependencies"])
    source = [str(PYPROJECT)]
    _compile(compile_command(everything, source, extras, None, upgrade=upgrade), everything)
    for part in PARTS:
        output = REQUIREMENTS / f"{part}.txt"
        _compile(compile_command(output, source, [part], everything, upgrade=upgrade), output)
    aparts = (("client-generator", CLIENT_GENERATOR), ("docs", DOCS_SITE), ("sbom", SBOM), ("scan", SCAN))
    for name, apart in aparts:
        output = REQUIREMENTS / f"{name}.txt"
        _compile(compile_command(output, ["-"], [], None, upgrade=upgrade), output, apart)
    needs = "\n".join(project["build-system"]["requires"])
    _compile(compile_command(build, ["-"], [], everything, upgrade=upgrade), build, needs)


if __name__ == "__main__":
    main()
