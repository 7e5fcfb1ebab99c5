"""`make treatment-report`: how often the brain is right that a note of nobody's department treats one.

Two labelled sets, each in a half for fitting constants and a half for the figures alone: notes as people of a
film leave them, each labelled with the departments that it treats, if any (tests/data/people_notes); and the
notes of the labelled departments (tests/data/coverage), each taken to treat its own and no other, beside
notes that belong to no film. It prints the rows of the table that docs/quality.md publishes.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dev.paths import ROOT
from gather_brain.coverage.analysis import measure, plan_measurement
from tests.evals.coverage import Vectors, model_vectors
from tests.evals.coverage_cases import HALVES, departments, fillers

FOLDER: Final = ROOT / "tests" / "data" / "people_notes"


@dataclass(frozen=True)
class Labelled:
    """Departments with their descriptions, and notes with the departments that they treat."""

    name: str
    descriptions: dict[str, str]
    notes: tuple[tuple[frozenset[str], str], ...]


@dataclass(frozen=True)
class Figures:
    """How many pairs of a note and a department were found, were right, and are there."""

    name: str
    found: int
    right: int
    treating: int

    @property
    def precision(self) -> float:
        """Return the share of what was found that is right."""
        return self.right / max(1, self.found)

    @property
    def recall(self) -> float:
        """Return the share of what is there that was found."""
        return self.right / max(1, self.treating)


def peoples_notes(half: str) -> Labelled:
    """Return the notes that people of a film leave."""
    data: dict[str, Any] = json.loads((FOLDER / f"{half}.json").read_text(encoding="utf-8"))
    notes = tuple((frozenset(slugs), text) for slugs, text in data["notes"])
    return Labelled("people's notes", data["departments"], notes)


def departments_notes(half: str) -> Labelled:
    """Return the notes of the labelled departments, and those of no film."""
    found = departments(half)
    notes = [(frozenset([each.slug]), note.text) for each in found for note in each.notes]
    notes += [(frozenset[str](), text) for text in fillers()]
    return Labelled("departments' notes", {each.slug: each.description for each in found}, tuple(notes))


def found_for(vectors: Vectors, slug: str, description: str, texts: Sequence[str]) -> set[int]:
    """Return the places of the texts that the brain finds to treat a department."""
    named = [(str(place), text) for place, text in enumerate(texts)]
    plan = plan_measurement(slug, description, named, finds_treating=True)
    return {int(place) for place in measure(plan, vectors(plan.texts), vectors.model).treating_ids}


def figures_of(labelled: Labelled, vectors: Vectors) -> Figures:
    """Return how often the brain is right."""
    texts = [text for _, text in labelled.notes]
    found = {
        (place, slug)
        for slug, description in labelled.descriptions.items()
        for place in found_for(vectors, slug, description, texts)
    }
    there = {(place, slug) for place, (slugs, _) in enumerate(labelled.notes) for slug in slugs}
    return Figures(labelled.name, len(found), len(found & there), len(there))


def report_on(half: str, vectors: Vectors) -> list[Figures]:
    """Return the figures of one half."""
    return [figures_of(labelled, vectors) for labelled in (peoples_notes(half), departments_notes(half))]


def markdown_of(half: str, found: Figures) -> str:
    """Return a row of the table in docs/quality.md."""
    return (
        f"| {found.name}, {half} | {found.right} of {found.found} | {found.precision:.2f} "
        f"| {found.right} of {found.treating} | {found.recall:.2f} |"
    )


def main() -> None:
    """Print the rows."""
    vectors = model_vectors()
    for half in HALVES:
        for found in report_on(half, vectors):
            sys.stdout.write(f"{markdown_of(half, found)}\n")


if __name__ == "__main__":
    main()
