"""Labelled sets of the project's own: notes made worse by fixed rules, and notes written for their label."""

import json
from typing import Final

from dev.paths import ROOT
from tests.evals.coverage_cases import HALVES, Department, cases, departments, fillers
from tests.evals.judge.questions import Item, LabelledSet, RubricQuestion

HALF: Final = HALVES[-1]
NOTES_FILE: Final = ROOT / "tests" / "data" / "judge" / "notes.json"
SHOWN_NOTES: Final = 3
"""Of a department, beside sets of three that were written for their label."""
WORSE: Final = {
    "depth": ("thinned_graded",),
    "coherence": ("contradicted_graded",),
}
"""What is made worse step by step for a part; the first of a series is the whole."""


def own_sets() -> list[LabelledSet]:
    """Return all of them."""
    every = departments(HALF)
    return [
        LabelledSet(
            "contradictions", "two notes of a film, of which the second denies the first, or another note",
            True, [item for department in every for item in _contradictions(department)], "coherence",
        ),
        LabelledSet(
            "actionable notes", "notes that say what is to be done, or moods and wishes",
            True, _written("actionability"), "actionability",
        ),
        LabelledSet(
            "specific notes", "notes on one film, or commonplaces of the trade",
            True, [*_written("depth"), *(_specific(department) for department in every)], "depth",
        ),
        *(
            LabelledSet(
                f"made worse: {part}", "the same notes, whole and step by step worse", False,
                [item for department in every for item in _worse(department, part)], part,
            )
            for part in WORSE
        ),
    ]  # fmt: skip


def _contradictions(department: Department) -> list[Item]:
    texts = department.texts
    found = []
    for of, denied in department.denied:
        other = texts[(of + 1) % len(texts)]
        found.append(_item(department, (texts[of], denied), "coherence", 0.0))
        found.append(_item(department, (texts[of], other), "coherence", 1.0))
    return found


def _specific(department: Department) -> Item:
    return _item(department, tuple(department.texts[:SHOWN_NOTES]), "depth", 1.0)


def _worse(department: Department, part: str) -> list[Item]:
    """Return the steps of the part's series, 1 for the whole down to 0, and an office's notes besides."""
    # Of the other degradations none borrows from a stranger.
    made = [case for case in cases(department, department) if case.kind in WORSE[part]]
    last = max(case.level for case in made)
    items = [_item(department, case.texts, part, 1 - case.level / last) for case in made]
    if part == "coherence":
        padded = (*department.texts, *fillers()[: len(department.texts) // 2])
        items.append(_item(department, padded, part, 0.0))
    return items


def _item(department: Department, texts: tuple[str, ...], part: str, label: float) -> Item:
    name = department.slug.replace("-", " ").title()
    return Item(department.slug, (label,), RubricQuestion(name, department.description, texts, part))


def _written(part: str) -> list[Item]:
    sets = json.loads(NOTES_FILE.read_text(encoding="utf-8"))["sets"]
    return [
        Item(
            f"{each['department']} {place}", (float(each["label"]),),
            RubricQuestion(
                each["department"], f"{each['department']} of the film", tuple(each["notes"]), part
            ),
        )
        for place, each in enumerate(sets)
        if each["part"] == part
    ]  # fmt: skip
