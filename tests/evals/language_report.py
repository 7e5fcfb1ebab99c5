"""What one embedding model sees in many languages: `make language-report MODEL=multilingual`.

First how near different texts of a language are, then how far the score of the same notes in another language
is from that in English. The notes were written in English and translated by us; nobody who speaks the other
languages has looked at them. Those of `languages` took part in fitting, those of `same_notes` in nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Final

import typer

from dev.artefacts.store_binaries import StoreArtefacts
from gather_brain.coverage.measures import features_of
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_worker.department.quality import WEIGHTS
from tests.bench.report import table
from tests.evals.coverage import ASPECT_FALL, Vectors, found_for
from tests.evals.coverage_cases import LANGUAGES, Department, departments
from tests.evals.pairs.language_pairs import PAIRS, SAME, language_rows, languages_table

FOLDERS: Final = ("same_notes", "languages")
command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the notes got in one language, on the mean of the departments."""

    language: str
    parts: Mapping[str, float]
    """The scores that weigh in the score, 0-100 each."""
    credited: float
    """Share of the notes that are named under their aspect."""
    falls: float
    """Share of the aspects whose coverage falls without their notes."""
    strangers: float
    """Coverage, 0-100, by the notes of the next department alone."""
    described: float
    """Coverage of the notes by the department's English description."""
    of_english: float
    """Coverage of the English notes by the description."""
    words: float
    """Different words of meaning in a note."""

    @property
    def score(self) -> float:
        """The department's score with the brain's own measures, 0-100."""
        return sum(weight * self.parts[part] for part, weight in WEIGHTS.items())


def spoken_in(folder: str, language: str, vectors: Vectors) -> Spoken:
    """Measure the departments of one language."""
    every = departments(f"{folder}/{language}")
    found = [(each, found_for(each, each.texts, vectors)) for each in every]
    credited = [
        any(f"item-{place}" in scores.aspect(label).item_ids for label in note.aspects)
        for department, scores in found
        for place, note in enumerate(department.notes)
    ]
    english = departments(f"{folder}/{LANGUAGES[0]}")
    following = [*every[1:], every[0]]
    return Spoken(
        language=language,
        parts={part: mean(scores.scores[part] for _, scores in found) for part in WEIGHTS},
        credited=mean(credited),
        falls=mean(fell for department in every for fell in _falls(department, vectors)),
        strangers=_coverage(every, following, vectors),
        described=_coverage(english, every, vectors),
        of_english=_coverage(every, english, vectors),
        words=mean(len(features_of(text).vocabulary) for department, _ in found for text in department.texts),
    )


def _coverage(described: Sequence[Department], noted: Sequence[Department], vectors: Vectors) -> float:
    """Return the mean coverage of the ones' descriptions by the others' notes."""
    pairs = zip(described, noted, strict=True)
    return mean(found_for(one, other.texts, vectors).scores["coverage"] for one, other in pairs)


def _falls(department: Department, vectors: Vectors) -> Iterator[bool]:
    whole = found_for(department, department.texts, vectors)
    for label in department.aspects:
        without = found_for(department, department.without([label]), vectors)
        yield whole.aspect(label).coverage - without.aspect(label).coverage > ASPECT_FALL


def spoken_languages(folder: str, vectors: Vectors) -> Iterator[Spoken]:
    """Yield what each language got, English first."""
    yield from (spoken_in(folder, language, vectors) for language in LANGUAGES)


def spoken_table(rows: Sequence[Spoken]) -> str:
    """Return the languages as a Markdown table, the first being what the others are compared with."""
    head = (
        *("the same notes", *WEIGHTS, "score", "against English", "notes credited", "removed: aspect falls"),
        *("coverage by others", "described in English", "English notes", "words of English"),
    )
    first = rows[0]
    body = [
        (
            row.language,
            *(f"{value:.0f}" for value in row.parts.values()),
            f"{row.score:.1f}",
            f"{row.score - first.score:+.1f}",
            f"{row.credited:.2f}",
            f"{row.falls:.2f}",
            *(f"{value:.0f}" for value in (row.strangers, row.described, row.of_english)),
            f"{row.words / first.words:.2f}",
        )
        for row in rows
    ]
    return table(head, body)


@command.command()
def language_report() -> None:
    """Print what the model that GATHER_BRAIN_EMBEDDING names sees in many languages."""
    model = OnnxModel(StoreArtefacts.from_environment().embedding_model(), None)
    rows = language_rows(model.embed, model.unread)
    same = sum(row.same for row in rows)
    typer.echo(f"{model.name}\n\n{languages_table(rows)}\n")
    typer.echo(f"{same} of {len(rows) * PAIRS:,} pairs of {len(rows)} languages at {SAME} or more")
    vectors = Vectors(model.embed, model.name)
    for folder in FOLDERS:
        typer.echo(f"\n{folder}\n\n{spoken_table(list(spoken_languages(folder, vectors)))}")


if __name__ == "__main__":
    command()
