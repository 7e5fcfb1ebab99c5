"""The report on a model: its labelled pairs, its figures, and what people read of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gather_clients.logs import hide_in_logs
from tests.evals.coverage_cases import departments
from tests.evals.model_report import HALF, LabelledNotes, figures_of, pairs_of, parsed
from tests.evals.model_tables import markdown_of
from tests.evals.report_files import write_both

PART = {"costUSD": 0.01, "tokens": 1200, "seconds": 3.5}
FOUND: dict[str, Any] = {
    "model": "m/x", "judge": "m/j", "endpoint": "http://model/v1", "at": "2026-01-01T00:00:00+00:00",
    "embeddings": "mini", "repeats": 3, "maxCostUSD": 1.0, "isCapReached": False, "costUSD": 0.03,
    "tokens": 3600, "seconds": 10.5,
    "preview": PART | {"departments": [
        {"department": "story", "writer": "m/x", "notes": 8, "duplicates": 1, "score": 61.25, "costUSD": 0.01,
         "seconds": 3.0},
        {"department": "sound", "problem": "3 unusable | answers\nin a row", "costUSD": 0.0, "seconds": 0.5},
    ]},
    "duplicates": PART | {"pairs": 4, "judged": 3, "precision": 1.0, "recall": None,
                          "kinds": {"denied": {"pairs": 4, "judged": 3, "right": 2}}},
    "quality": PART | {"verdicts": 30, "failed": 2, "figures": {"repeats: deviation of score": 1.25}},
}  # fmt: skip


def test_the_pairs_are_labelled_and_balanced() -> None:
    """Each department has notes said again, denied, and others; no text stands beside itself."""
    for department in departments(HALF):
        pairs = pairs_of(department)
        kinds = [pair.kind for pair in pairs]
        assert set(kinds) == {"said again", "denied", "another note"}
        assert kinds.count("another note") == len(kinds) / 2
        assert {pair.kind for pair in pairs if pair.is_duplicate} == {"said again"}
        assert all(pair.text != pair.other for pair in pairs)


def test_a_pair_without_a_verdict_is_not_right() -> None:
    """Neither is it wrong."""
    again, denied = (LabelledNotes("a", "b", "said again", True), LabelledNotes("a", "b", "denied", False))
    found = figures_of([again, again, denied, denied], {0: True, 2: True})
    assert (found["pairs"], found["judged"], found["precision"], found["recall"]) == (4, 2, 0.5, 0.5)
    assert found["kinds"]["said again"] == {"pairs": 2, "judged": 1, "right": 1}
    assert found["kinds"]["denied"] == {"pairs": 2, "judged": 1, "right": 0}
    nothing = figures_of([denied], {})
    assert (nothing["precision"], nothing["recall"]) == (None, None)


def test_the_tables_say_what_came_of_each_part() -> None:
    """With what failed in the place of its numbers, and nothing that breaks a table."""
    lines = markdown_of(FOUND).splitlines()
    assert (
        "| preview | 0.0100 | 1,200 | 3.5 | 8 valid notes in 1 of 2 answers, 1 duplicates, score 61.2 |"
        in lines
    )
    assert "| duplicates | 0.0100 | 1,200 | 3.5 | 2 of 4 pairs right, 1 without a verdict |" in lines
    assert (
        "| quality | 0.0100 | 1,200 | 3.5 | 28 of 30 verdicts, deviation of the same notes' score 1.25 "
        "points |" in lines
    )
    assert "| all | 0.0300 | 3,600 | 10.5 | 1 USD at most |" in lines
    assert "| sound | | | | 0.0000 | 0.5 | 3 unusable \\| answers in a row |" in lines


def test_a_part_that_the_cap_left_no_room_for_says_so() -> None:
    """And the rest of the report stands."""
    left_out = PART | {"problem": "the cap left no room: 1 USD is spent"}
    text = markdown_of(FOUND | {"quality": left_out, "duplicates": left_out, "isCapReached": True})
    assert text.count("the cap left no room: 1 USD is spent") == 2
    assert "**the cap was reached**" in text
    assert "## Notes written" in text


def test_both_files_are_written_without_a_secret(tmp_path: Path) -> None:
    """Into a folder that is made."""
    hide_in_logs(["hunter2-secret"])
    try:
        out = tmp_path / "new" / "report"
        found = FOUND | {"endpoint": "http://hunter2-secret/v1"}
        shown = write_both(found, markdown_of(found), out)
    finally:
        hide_in_logs([])
    assert (
        "hunter2"
        not in shown + out.with_name("report.md").read_text() + out.with_name("report.json").read_text()
    )
    assert json.loads(out.with_name("report.json").read_text())["model"] == "m/x"


@pytest.mark.parametrize(
    "arguments",
    [[], ["--model", "m", "--max-cost", "0"], ["--model", "m", "--departments", "9"],
     ["--model", "m", "--repeats", "1"]],
    ids=["no model", "no money", "too many departments", "one reading"],
)  # fmt: skip
def test_arguments_that_cannot_work_are_refused(arguments: list[str]) -> None:
    """With the way it is called."""
    with pytest.raises(SystemExit):
        parsed(arguments)
