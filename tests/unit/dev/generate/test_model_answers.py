"""The table of the model's answers: complete, and what the cases say."""

import pytest

from dev.generate.files import differing_files
from dev.generate.model_answers import BEGINS, ENDS, OUTCOMES, Row, counts, files, page, rows, with_counts
from dev.paths import ROOT


def row(steps: list[str], ends: str | None = None) -> Row:
    """Return a case that takes these steps."""
    return Row("bill", "a", "A | b", "s", steps, "8 notes", 0, ends, is_exact=True)


def test_the_page_is_what_the_cases_say() -> None:
    """`make model-answers` writes it."""
    assert differing_files(files(), ROOT) == []


def test_every_case_is_on_the_page_and_counted_once() -> None:
    """By its name; the last cell of the counts has them all."""
    found = rows()
    text = page(found)
    assert all(f"| {one.name} | " in text for one in found)
    assert counts(found).endswith(f"| **{len(found)}** |")


@pytest.mark.parametrize(
    ("steps", "ends", "outcome"),
    [
        (["understood"], None, "understood"),
        (["salvaged"], None, "salvaged"),
        (["asked again", "salvaged"], None, "asked again"),
        (["sent again", "other form", "understood"], None, "other form"),
        (["sent again", "fallback", "understood"], None, "fallback"),
        (["sent again", "stopped"], "try again", "stopped"),
    ],
    ids=["understood", "salvaged", "asked again", "other form", "fallback", "stopped"],
)
def test_a_case_counts_as_one_outcome(steps: list[str], ends: str | None, outcome: str) -> None:
    """The weightiest of its steps, or its end."""
    assert row(steps, ends).outcome == outcome
    assert outcome in OUTCOMES


def test_a_title_cannot_end_its_cell() -> None:
    """A bar is escaped."""
    assert "| A \\| b |" in page([row(["understood"])])


def test_the_counts_need_both_marks() -> None:
    """What stands between them is replaced, and nothing else."""
    assert with_counts(f"a{BEGINS}old{ENDS}b", [row(["understood"])]).startswith(f"a{BEGINS}\n\n| |")
    with pytest.raises(ValueError, match="marks"):
        with_counts(f"a{BEGINS}old", [])
