"""What scanners find, and which of it is accepted: pure."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

REASON_LETTERS_MIN: Final = 20
"""A shorter text is no reason that a reader could judge."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One rule of one scanner, broken at one place.

    Attributes:
        place: `Kind/name` of an object, or a file of the repository, with its line where there is one.
    """

    scanner: str
    rule: str
    place: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Findings that stay: of these rules, at the places that one of the patterns matches."""

    scanner: str
    rules: Sequence[str]
    places: Sequence[str]
    reason: str

    def has(self, finding: Finding) -> bool:
        """Return whether the finding is one of these."""
        return (
            finding.scanner == self.scanner
            and finding.rule in self.rules
            and any(fnmatchcase(finding.place, pattern) for pattern in self.places)
        )

    def unused(self, findings: Iterable[Finding]) -> list[str]:
        """Return the rules and the places that no finding needs."""
        mine = [finding for finding in findings if self.has(finding)]
        rules = [rule for rule in self.rules if all(finding.rule != rule for finding in mine)]
        places = [p for p in self.places if not any(fnmatchcase(finding.place, p) for finding in mine)]
        return [*rules, *places]


def parse_accepted(text: str) -> list[Accepted]:
    """Return what a TOML text accepts; raises ValueError for an entry without a reason."""
    accepted = [Accepted(**entry) for entry in tomllib.loads(text).get("accepted", [])]
    for entry in accepted:
        if len(entry.reason) < REASON_LETTERS_MIN:
            raise ValueError(f"{entry.scanner} {', '.join(entry.rules)}: the reason says too little")
    return accepted


def failures(findings: Iterable[Finding], accepted: Sequence[Accepted], ran: Iterable[str]) -> list[str]:
    """Return a line for each finding that nothing accepts, and for each acceptance that nothing needs.

    An acceptance counts only if its scanner is one of those that ran.
    """
    every = sorted(set(findings))
    scanners = set(ran)
    opened = [
        f"{finding.scanner} {finding.rule}: {finding.place}: {finding.message}"
        for finding in every
        if not any(entry.has(finding) for entry in accepted)
    ]
    idle = [
        f"{entry.scanner}: nothing is found of {', '.join(names)}: take it out of dev/scan/accepted.toml"
        for entry in accepted
        if entry.scanner in scanners and (names := entry.unused(every))
    ]
    return [*opened, *idle]
