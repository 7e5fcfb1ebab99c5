"""The report on people's labels: its rows and tables, what is left out, and its command line."""

import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from dev.artefacts.cache import Cache
from dev.artefacts.embedding_models import folder_name
from dev.paths import ROOT
from dev.progress import Reporter
from gather_brain.vectors import Matrix, unit_rows
from gather_worker.errors import InvalidInput, TryAgain
from tests.evals.coverage import Vectors
from tests.evals.human.brain_scores import BrainScores, shared_words
from tests.evals.human.rank_statistics import over_all, spearman
from tests.evals.human.report import cached_folders, left_out, models_in, parsed, report, rows_of
from tests.evals.human.sets.catalogue import SETS
from tests.evals.human.tables import Cases, Comparison, Judged, Row, markdown_of, number, weak_first

SAMPLE = ROOT / "tests/data/human/sample"
FEW = ("--resamples", "10")


def embed(texts: list[str]) -> Matrix:
    """Return vectors of a text's letters: near for texts with the same ones."""
    rows = np.zeros((len(texts), 128), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for letter in text.lower():
            row[ord(letter) % 128] += 1
    return unit_rows(rows)


@pytest.fixture
def brain() -> BrainScores:
    """The brain's arithmetic over letters."""
    return BrainScores(Vectors(lambda texts: embed(list(texts))), "letters")


def reporter() -> Reporter:
    return Reporter(Console(quiet=True))


def row(measure: str, ours: float, baseline: float) -> Row:
    return Row(measure, "set", "AUC", "9 texts", ours, 0.1, 0.9, 0.2, ("length", baseline), 0.5, 0.7)


def test_weak_rows_come_first_and_are_marked() -> None:
    """A row is weak where a simple way does as well."""
    rows = [row("good", 0.8, 0.5), row("weak", 0.3, 0.4), row("fair", 0.5, 0.4)]
    assert [each.measure for each in weak_first(rows)] == ["weak", "fair", "good"]
    lines = markdown_of(rows).splitlines()
    shown = "| weak | set (AUC) | 9 texts | **.300** | .100 to .900 | .200 | length .400 | .500 | ≥ .700 |"
    assert lines[2] == shown
    assert "| .800 |" in lines[4]
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, ".500"), (-0.25, "-.250"), (1.0, "1.000"), (0.0, ".000"), (None, "–")],  # noqa: RUF001
)
def test_figures_have_three_digits(value: float | None, shown: str) -> None:
    """And no zero before them."""
    assert number(value) == shown


def test_a_row_has_the_best_simple_way_and_length_taken_out() -> None:
    """What follows length alone has nothing left."""
    labels = np.arange(20, dtype=np.float64)
    length = labels[::-1].copy()
    cases = Cases(
        Judged(labels, labels),
        {"one": Judged(length, labels), "other": Judged(np.sin(labels), labels)},
        np.arange(20),
        labels,
    )
    found = Comparison("m", "l", ("ρ", over_all(spearman)), cases, "20 texts").row(20)  # noqa: RUF001
    assert (found.ours, found.low, found.high) == pytest.approx((1, 1, 1))
    assert found.baseline[0] == "other"
    assert found.length_out == pytest.approx(0, abs=1e-9)


def test_words_in_common_are_of_the_unit() -> None:
    """Not of the text, which may be long; endings do not count."""
    text = "The keeper lights two lamps every evening before the ferry comes."
    assert shared_words(text, ["a lamp", "keeper and dog", "storm"]).tolist() == [1.0, 0.5, 0.0]


def test_every_set_gives_rows_of_its_open_part_alone(brain: BrainScores) -> None:
    """What is kept back is measured when it is asked for."""
    shown = list(rows_of(parsed([str(SAMPLE), *FEW]), brain, reporter()))
    labels = " ".join(each.labels for each in shown)
    assert {each.measure for each in shown} == {
        "coverage", "coverage evidence", "note–aspect matching", "depth", "coherence", "contradictions"  # noqa: RUF001
    }  # fmt: skip
    assert not any(word in labels for word in ("odd", "test", "SICK", "SemEval", "WritingPrompts", "reviews"))
    every = list(rows_of(parsed([str(SAMPLE), *FEW, "--kept-back"]), brain, reporter()))
    more = " ".join(each.labels for each in every)
    assert all(word in more for word in ("odd", "test", "SICK", "SemEval", "WritingPrompts", "film reviews"))
    assert len(every) > len(shown)
    assert all(each.low <= each.high for each in every)


def test_labelled_pairs_are_measured_without_a_calibration(brain: BrainScores, tmp_path: Path) -> None:
    """By the flat cosine, of the pairs that are held out."""
    pairs = [
        f'{{"a": "note {n}", "b": "note {n}, again", "duplicate": {str(n % 2 == 0).lower()}}}'
        for n in range(20)
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(pairs), "utf-8")
    given = parsed([str(tmp_path), "--pairs", str(tmp_path), *FEW])
    (found,) = [each for each in rows_of(given, brain, reporter()) if each.measure == "duplicates"]
    assert found.labels == "own, held out, no calibration, flat cosine"
    assert found.sample == "6 pairs"


def test_a_model_that_another_version_made_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    """Though it be newer: both have the same name."""
    ages = {folder_name("fast"): 30, "embedding-model-0123456789abcdef": 10, "my-embedding-model": 20}
    for name, age in ages.items():
        folder = tmp_path / "artefacts" / name
        folder.mkdir(parents=True)
        (folder / "model.onnx").touch()
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    assert [folder.name for folder in cached_folders(Cache(tmp_path))] == [
        "my-embedding-model", "embedding-model-0123456789abcdef", folder_name("fast")
    ]  # fmt: skip


def test_what_is_not_measured_is_said_with_how_to_get_it(tmp_path: Path) -> None:
    """Each set once where it is missing, and what is kept back."""
    lines = left_out(tmp_path, None, kept_back=False)
    assert any(
        line.startswith("KPA-2021: not in ") and "git clone https://github.com/IBM/" in line for line in lines
    )
    assert "SICK, all: kept back, measured with --kept-back" in lines
    assert any("PAIRS" in line for line in lines)
    asked = left_out(tmp_path, tmp_path, kept_back=True)
    assert len(asked) == len(SETS)
    assert any(line.startswith("SICK: not in ") and "zenodo.org" in line for line in asked)
    assert left_out(SAMPLE, tmp_path, kept_back=True) == []


def test_the_cache_s_models_are_found_and_nothing_is_downloaded(tmp_path: Path) -> None:
    """An empty cache says what gets a model."""
    with pytest.raises(TryAgain, match="no embedding model"):
        models_in(Cache(tmp_path), [])


def test_a_model_that_is_not_there_is_wrong_input(tmp_path: Path) -> None:
    """The message names those that are."""
    folder = tmp_path / "artefacts" / "embedding-model-1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"no model")
    (folder / "config.json").write_text('{"name": "small"}', "utf-8")
    with pytest.raises(InvalidInput, match="no model large; there are: small"):
        models_in(Cache(tmp_path), ["large"])
    for wanted in ([], ["small"], [str(folder)]):
        with pytest.raises(InvalidInput, match="cannot be loaded"):
            models_in(Cache(tmp_path), wanted)


def test_a_folder_that_is_none_is_wrong_input(tmp_path: Path) -> None:
    """Before any model is loaded."""
    with pytest.raises(InvalidInput, match="is no folder"):
        report(parsed([str(tmp_path / "missing")]), reporter())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        ([], 64),
        (["x", "--nothing"], 64),
        (["x", "--resamples", "9"], 64),
        (["x", "--language-pairs", "201"], 64),
    ],
)
def test_the_command_line_ends_as_other_reports_do(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help is no error; a wrong option is wrong input."""
    with pytest.raises(SystemExit) as raised:
        parsed(arguments)
    assert raised.value.code == code
    shown = capsys.readouterr()
    assert "make human-report" in shown.out + shown.err
