"""What docs/coverage.md publishes holds, and the laws hold for real notes with the real model."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_brain.embeddings.settings import Shipped
from tests.evals.coverage import COLUMNS, Vectors, found_for, published, report_on
from tests.evals.coverage_cases import Department, departments, fillers

DOCUMENT = ROOT / "docs" / "coverage.md"
MARGIN = 0.08
"""Processors round differently: a case or two near a threshold may fall on its other side."""
POINTS = 2.0
"""The same for a mean change of coverage, in points."""


@pytest.fixture(scope="module")
def vectors(embedding_model_dir: Path) -> Vectors:
    """The default model, each text computed once."""
    model = OnnxModel(embedding_model_dir, None)
    return Vectors(model.embed, model.name)


def _scores(department: Department, texts: Sequence[str], vectors: Vectors) -> dict[str, float]:
    return found_for(department, texts, vectors).scores


@pytest.mark.parametrize("column", [pytest.param("held_out", marks=pytest.mark.long), "invented"])
def test_the_published_figures_that_fitting_did_not_see_hold(column: str, vectors: Vectors) -> None:
    """Every row of the table; better is fine, worse is not."""
    figures = published(DOCUMENT.read_text("utf-8"), column)
    found = report_on(COLUMNS[column], vectors).shares()
    assert set(found) == set(figures)
    lower_is_better = {fact for fact in figures if "change of" in fact or "is said to be" in fact}
    lower_is_better |= {fact for fact in figures if fact.startswith("rank") and figures[fact] < 0}
    for fact, figure in figures.items():
        margin = POINTS if "change of" in fact else MARGIN
        worse = found[fact] - figure if fact in lower_is_better else figure - found[fact]
        assert worse <= margin, f"{fact}: {found[fact]:.2f}, published {figure:.2f}"


def test_no_fewer_than_sixty_cases_of_each_half_were_measured() -> None:
    """A report on a handful of cases would say nothing."""
    for half in ("fit", "held_out"):
        noted = [note for department in departments(half) for note in department.notes]
        assert len(noted) >= 60
        assert len({note.text for note in noted}) == len(noted)


LAWFUL: list[tuple[Shipped | None, str, str]] = [
    (None, "held_out", "locations"), (None, "held_out", "music"), (None, "held_out", "visual-effects"),
    ("accurate", "held_out", "music"), ("multilingual", "held_out", "music"),
    ("multilingual", "same_notes/zh", "sound"), ("multilingual", "same_notes/de", "costume"),
]  # fmt: skip
"""With which model the laws are tried on which department; None is the one that GATHER_BRAIN_EMBEDDING names,
each in turn in `make models-report`."""
FEW: Final = 12
"""Notes that a larger model reads here; in `make models-report` it reads all."""


@pytest.mark.parametrize(("word", "half", "slug"), LAWFUL)
def test_the_laws_hold_for_real_notes(
    word: Shipped | None, half: str, slug: str, vectors: Vectors, store_artefacts: StoreArtefacts
) -> None:
    """Order, addition, duplication."""
    department = next(found for found in departments(half) if found.slug == slug)
    texts, others = department.texts, fillers()
    if word:
        model = OnnxModel(store_artefacts.embedding_model(word), None)
        vectors = Vectors(model.embed, model.name)
        texts, others = department.mixed[:FEW], others[:FEW]
    whole = _scores(department, texts, vectors)
    turned = _scores(department, texts[::-1], vectors)
    assert all(abs(turned[score] - whole[score]) < 0.01 for score in whole)
    copied = _scores(department, [*texts, *(text.upper() for text in texts[:4])], vectors)
    assert all(copied[score] <= whole[score] + 1e-3 for score in whole)
    kept = [_scores(department, department.mixed[:count], vectors)["coverage"] for count in range(1, 11)]
    assert all(before <= after + 1e-3 for before, after in pairwise(kept))
    padded = _scores(department, [*texts, *others], vectors)
    assert padded["coverage"] >= whole["coverage"] - 1e-3
    assert padded["coherence"] < whole["coherence"]
