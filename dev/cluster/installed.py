"""kubectl, Helm and kind that this machine has already, used in place of built ones where their version fits.

Somebody with Docker then needs no Go and no root. `up` links those that fit into the cache, where
`dev/kubectl` and `dev/helm` find them; a link whose program has gone counts as none. It needs
the standard library alone.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev.artefacts.cache import Cache
from dev.commands import output_of
from dev.errors import CommandError

FOLDER = "installed"
VERSION_TIMEOUT_S = 10
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that may be installed: how it says its version, and which versions fit (from, to below)."""

    name: str
    ask: tuple[str, ...]
    at_least: Version
    below: Version


TOOLS = (
    # One minor version beside the API server's, https://kubernetes.io/releases/version-skew-policy/#kubectl.
    Tool("kubectl", ("version", "--client"), (1, 33), (1, 36)),
    # --take-ownership came with 3.17; with 4 other defaults.
    Tool("helm", ("version", "--short"), (3, 17), (4, 0)),
    # Older ones do not know our node image, which 0.30 was released with.
    Tool("kind", ("version",), (0, 30), (1, 0)),
)


def folder(cache: Cache) -> Path:
    """Return where the links are."""
    return cache.root / FOLDER


def version_in(said: str) -> Version | None:
    """Return major and minor of the first version in what a program printed, or None if there is none."""
    found = re.search(r"\bv(\d+)\.(\d+)\.\d+", said)
    return (int(found[1]), int(found[2])) if found else None


def fits(tool: Tool, said: str) -> bool:
    """Return whether the version that a program printed is one that we use."""
    version = version_in(said)
    return version is not None and tool.at_least <= version < tool.below


def found_tool(
    tool: Tool,
    which: Callable[[str], str | None] = shutil.which,
    execute: Callable[..., str] = output_of,
) -> Path | None:
    """Return where this machine has the program, or None if it has none that runs and fits."""
    path = which(tool.name)
    if path is None:
        return None
    try:
        said = execute([path, *tool.ask], timeout_s=VERSION_TIMEOUT_S)
    except CommandError:
        return None
    return Path(path).resolve() if fits(tool, said) else None


def link_installed(cache: Cache, find: Callable[[Tool], Path | None] = found_tool) -> frozenset[str]:
    """Link the programs that fit, and no others; return their names."""
    links = folder(cache)
    shutil.rmtree(links, ignore_errors=True)
    links.mkdir(parents=True)
    found = {tool.name: path for tool in TOOLS if (path := find(tool))}
    for name, path in found.items():
        (links / name).symlink_to(path)
    return frozenset(found)
