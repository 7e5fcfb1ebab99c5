"""The labelled set for coverage: hand-written departments, and variants of them in which one thing is worse.

A department is a film's description of a trade with notes, each labelled with the aspects that it treats.
What is done to it follows from the labels by fixed rules, so that it is known which score must fall. Half of
the departments are for fitting constants, the other half only for the figures that are published.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from dev.paths import ROOT

FOLDER: Final = ROOT / "tests" / "data" / "coverage"
HALVES: Final = ("fit", "held_out")
INVENTED: Final = ("invented/fit", "invented/held_out")
"""The halves of the departments that no built-in list knows."""
LANGUAGES: Final = ("en", "de", "fr", "es", "hi", "zh", "ja")
"""In which `languages/` has the same departments, English first."""
CLAUSE: Final = re.compile(r"[,;:.?!](?=\s|$)")
CLAUSE_WORDS_MIN: Final = 3
REMOVED_MAX: Final = 4
"""Aspects left out in the graded series; every department has more."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note and the aspects that it treats."""

    text: str
    aspects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Department:
    """A department of one film."""

    slug: str
    description: str
    notes: tuple[Note, ...]
    denied: tuple[tuple[int, str], ...]
    """Which note is negated, and how."""
    said_again: tuple[tuple[int, str], ...]
    """Which note is repeated, and how."""

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Texts that negate notes."""
        return tuple(text for _, text in self.denied)

    @property
    def paraphrases(self) -> tuple[str, ...]:
        """Texts that repeat notes."""
        return tuple(text for _, text in self.said_again)

    @property
    def aspects(self) -> tuple[str, ...]:
        """The labels, in the order of the notes."""
        return tuple(dict.fromkeys(aspect for note in self.notes for aspect in note.aspects))

    @property
    def texts(self) -> list[str]:
        """The notes alone."""
        return [note.text for note in self.notes]

    @property
    def mixed(self) -> list[str]:
        """The notes, one of each aspect in turn."""
        groups = [[n.text for n in self.notes if n.aspects[0] == aspect] for aspect in self.aspects]
        return [text for turn in zip_longest(*groups) for text in turn if text]

    def without(self, removed: Sequence[str]) -> list[str]:
        """Return the notes that treat none of these aspects."""
        return [note.text for note in self.notes if not set(note.aspects) & set(removed)]


@dataclass(frozen=True, slots=True)
class Case:
    """One set of notes; `level` is how far it is degraded, or how many notes it keeps."""

    kind: str
    level: int
    texts: tuple[str, ...]
    removed: tuple[str, ...] = ()


def departments(half: str) -> list[Department]:
    """Return the departments of one half or language (`languages/de`), by name."""
    return [
        _department(json.loads(path.read_text("utf-8"))) for path in sorted((FOLDER / half).glob("*.json"))
    ]


def _department(data: dict[str, Any]) -> Department:
    return Department(
        slug=data["slug"],
        description=data["description"],
        notes=tuple(Note(text, tuple(aspects)) for aspects, text in data["items"]),
        denied=tuple((of, text) for of, text in data.get("contradictions", ())),
        said_again=tuple((of, text) for of, text in data.get("paraphrases", ())),
    )


def fillers() -> list[str]:
    """Return notes that belong to no film, for padding: nothing is fitted to them."""
    return _texts("fillers")


def strangers() -> list[str]:
    """Return other notes that belong to no film, for fitting."""
    return _texts("strangers")


def of_any_trade() -> list[str]:
    """Return notes on a film that could stand in any department, for fitting."""
    return _texts("of_any_trade")


def _texts(name: str) -> list[str]:
    found: list[str] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def first_clause(text: str) -> str:
    """Cut a note to a stub: its first clause of three words or more."""
    for end in CLAUSE.finditer(text):
        if len(text[: end.start()].split()) >= CLAUSE_WORDS_MIN:
            return text[: end.start()]
    return text


def cases(department: Department, stranger: Department) -> Iterator[Case]:
    """Yield every set made from a department; `stranger` lends its notes for padding with another trade."""
    whole = department.texts
    yield Case("whole", 0, tuple(whole))
    for aspect in department.aspects:
        yield Case("removed", 1, tuple(department.without([aspect])), (aspect,))
    for level in range(REMOVED_MAX + 1):
        removed = department.aspects[:level]
        yield Case("removed_graded", level, tuple(department.without(removed)), removed)
    for kept in range(1, len(whole) + 1):
        yield Case("kept_graded", kept, tuple(department.mixed[:kept]))
    for level in range(4):
        thin = [first_clause(text) if index % 3 < level else text for index, text in enumerate(whole)]
        yield Case("thinned_graded", level, tuple(thin))
    yield Case("thinned", 1, tuple(first_clause(text) for text in whole))
    yield from _added(department, stranger)


def _added(department: Department, stranger: Department) -> Iterator[Case]:
    whole = department.texts
    half = len(whole) // 2
    yield Case("padded_office", 1, (*whole, *fillers()[:half]))
    yield Case("padded_trade", 1, (*whole, *stranger.mixed[:half]))
    yield Case("padded_copies", 1, (*whole, *(f" {text.lower()} " for text in whole[:half])))
    for level in range(3):
        yield Case("padded_graded", level, (*whole, *fillers()[: level * half]))
    if department.paraphrases:
        yield Case("paraphrased", 1, (*whole, *department.paraphrases))
    if not department.contradictions:
        return
    yield Case("contradicted", 1, (*whole, *department.contradictions))
    for level in range(len(department.contradictions) + 1):
        yield Case("contradicted_graded", level, (*whole, *department.contradictions[:level]))
