"""dpkg's record of what is installed in a root file system, and what of it is needed to run some packages."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import Final

STATUS: Final = Path("var/lib/dpkg/status")
INFO: Final = Path("var/lib/dpkg/info")
NAME: Final = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)")


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is installed.

    Attributes:
        source: the name of the source package, which most advisories name.
        needs: each dependency as the names of its alternatives, the preferred one first.
        provides: further names that satisfy a dependency.
        stanza: its part of the record, word for word.
    """

    name: str
    version: str
    architecture: str
    source: str
    needs: tuple[tuple[str, ...], ...]
    provides: frozenset[str]
    stanza: str


def parse_status(text: str) -> dict[str, Package]:
    """Return the installed packages by their names, out of the text of dpkg's status file."""
    packages = [_package(stanza) for stanza in re.split(r"\n\n+", text.strip()) if stanza]
    return {package.name: package for package in packages if package}


def _package(stanza: str) -> Package | None:
    fields = Parser().parsestr(stanza, headersonly=True)
    if not str(fields["Status"]).endswith(" installed"):
        return None
    needs = [part for field in ("Pre-Depends", "Depends") for part in str(fields.get(field, "")).split(",")]
    return Package(
        name=str(fields["Package"]),
        version=str(fields["Version"]),
        architecture=str(fields["Architecture"]),
        source=str(fields.get("Source", fields["Package"])).split()[0],
        needs=tuple(names for part in needs if (names := _names(part.split("|")))),
        provides=frozenset(_names(str(fields.get("Provides", "")).split(","))),
        stanza=stanza,
    )


def _names(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(found[1] for word in words if (found := NAME.match(word)))


def needed(packages: Mapping[str, Package], roots: Iterable[str], unneeded: Collection[str]) -> set[str]:
    """Return the names of `roots` and of all they depend on, without what is known to be unneeded.

    Raises KeyError if a root, or what one depends on, is not installed.
    """
    providers = {name: p.name for p in packages.values() for name in p.provides}
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or name in unneeded:
            continue
        found.add(name)
        for alternatives in packages[name].needs:
            known = [providers.get(word, word) for word in alternatives]
            waiting.append(next(word for word in (*known, alternatives[0]) if word in packages))
    return found
