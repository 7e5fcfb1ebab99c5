"""The same notes in several languages: how far their coverage is from that of the English ones."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.evals.coverage import Vectors, found_for
from tests.evals.coverage_cases import LANGUAGES, departments


@dataclass(frozen=True)
class Spoken:
    """What one language's departments got."""

    language: str
    coverages: tuple[float, ...]
    """Of each department, 0-100."""
    difference: float
    """Of the departments' mean coverage from that in English, in points."""
    credited: float
    """Share of the notes that are named under their aspect."""


def languages_of(vectors: Vectors) -> Iterator[Spoken]:
    """Yield what each language got, English first."""
    english = 0.0
    for language in LANGUAGES:
        coverages, credited = list[float](), list[bool]()
        for department in departments(f"languages/{language}"):
            found = found_for(department, department.texts, vectors)
            coverages.append(found.scores["coverage"])
            for place, note in enumerate(department.notes):
                named = [found.aspect(label) for label in note.aspects]
                credited.append(any(f"item-{place}" in aspect.item_ids for aspect in named))
        mean = sum(coverages) / len(coverages)
        english = english or mean
        yield Spoken(language, tuple(coverages), mean - english, sum(credited) / len(credited))


def markdown_of(rows: Iterator[Spoken]) -> str:
    """Return the languages as a Markdown table."""
    names = [department.slug for department in departments("languages/en")]
    lines = [
        f"| language | {' | '.join(names)} | difference from English | notes credited |",
        f"| --- |{' --- |' * (len(names) + 2)}",
    ]
    for row in rows:
        cells = [*(f"{coverage:.0f}" for coverage in row.coverages), f"{row.difference:+.1f}"]
        lines.append(f"| {row.language} | {' | '.join(cells)} | {row.credited:.2f} |")
    return "\n".join(lines)
