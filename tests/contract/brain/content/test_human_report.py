"""`make human-report` as a whole, with the real embedding model, on a small labelled sample of our own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dev.paths import ROOT

SAMPLE = ROOT / "tests/data/human/sample"
LEAST = {
    "content units, REALSumm, even documents (AUC)": 0.75,
    "key points, KPA-2021 train (mAP relaxed)": 0.6,
    "key points, KPA-2021 dev (mAP relaxed)": 0.6,
    "specificity, SummEval-OP, even products": 0.8,
    "wrong sentences, StorySumm": 0.8,
}
"""What the sample's texts leave no doubt about, by what rows begin with, less a margin for other measures."""
TIMEOUT_S = 300


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the report as the target of the Makefile does."""
    return subprocess.run(
        [sys.executable, "-m", "tests.evals.human.report", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def printed(embedding_model_dir: Path) -> str:
    """What the report prints of all parts of the sample."""
    small = ("--resamples", "20", "--language-pairs", "4")
    done = run("--model", str(embedding_model_dir), "--kept-back", *small, str(SAMPLE))
    assert done.returncode == 0, done.stderr
    assert "kept back" in done.stderr
    return done.stdout


def cells_of(printed: str) -> dict[str, list[str]]:
    """Return the rows' cells by their labels."""
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("|")]
    return {cells[1]: cells for cells in rows if len(cells) == 9 and re.search(r"\d", cells[3])}


def figure(cell: str) -> float:
    """Return a cell's figure."""
    found = re.search(r"-?\d*\.\d+", cell)
    assert found, cell
    return float(found[0])


def test_every_set_has_its_rows_with_all_figures(printed: str) -> None:
    """And nothing is said to be missing but the pairs, which are no part of the sample."""
    rows = cells_of(printed)
    for name in (
        "REALSumm",
        "SummEval-OP",
        "KPA-2021",
        "TRIPOD",
        "TTCW",
        "StorySumm",
        "SICK",
        "SemEval",
        "film reviews",
    ):
        assert any(name in labels for labels in rows), name
    missing = printed.split("Not measured:")[1].strip().splitlines()
    assert len(missing) == 1
    assert "PAN" in missing[0]
    assert len(rows) > 20
    for cells in rows.values():
        low, high = (figure(each) for each in cells[4].split(" to "))
        assert low - 0.001 <= figure(cells[3]) <= high + 0.001 or cells[4].startswith("–")  # noqa: RUF001


@pytest.mark.parametrize("labels", LEAST)
def test_what_is_beyond_doubt_is_seen(labels: str, printed: str) -> None:
    """A measure that does not see it has lost its sense."""
    (cells,) = [cells for name, cells in cells_of(printed).items() if name.startswith(labels)]
    assert figure(cells[3]) >= LEAST[labels]


def test_a_broken_file_ends_the_report_with_its_place(embedding_model_dir: Path, tmp_path: Path) -> None:
    """By the exit code of wrong input, and without a table."""
    path = tmp_path / "SummEval-OP/annotated_dataset/summeval-op-detailed.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"reviews": ["a"]}\n', "utf-8")
    done = run("--model", str(embedding_model_dir), str(tmp_path))
    assert done.returncode == 64
    assert f"{path}: line 1: summaries" in done.stderr
    assert done.stdout == ""
