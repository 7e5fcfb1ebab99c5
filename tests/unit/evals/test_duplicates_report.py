"""`--ship` replaces the calibration of the model that was measured, and says what that changes."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from gather_worker.calibrate.report import STAGES, PairReport, Row
from gather_worker.duplicates.calibration import Calibration, read_calibration
from tests.evals import duplicates
from tests.evals.duplicates import ALL, SHIPPED, Bench

SHIPPED_FILE = duplicates.CALIBRATIONS / "all-MiniLM-L6-v2-w8a8.json"


def report(f1: float) -> PairReport:
    row = Row(way=STAGES, precision=1, recall=1, f1=f1)
    return PairReport(
        name="s", pairs=1, duplicates=1, embedding_model="m", threshold=0.9, band_share=0, rows=(row,)
    )


class FakeBench:
    """Makes a calibration for another number of pairs; the former one is worth less."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, ...]] = []

    def calibration(self, name: str) -> Path:
        return self.folder / f"{name}.calibration.json"

    def calibrate(self, name: str, sets: Sequence[str]) -> None:
        made = read_calibration(SHIPPED_FILE)
        made_on = made.made_on.model_copy(update={"pairs": 100 * len(sets)})
        text = made.model_copy(update={"made_on": made_on}).model_dump_json()
        self.calibration(name).write_text(text, encoding="utf-8")

    def measure_with(self, *arguments: str) -> PairReport:
        self.asked.append(arguments)
        return report(0.5)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of shipped calibrations in the place of the project's."""
    folder = tmp_path / "calibrations"
    folder.mkdir()
    monkeypatch.setattr(duplicates, "CALIBRATIONS", folder)
    monkeypatch.setattr(duplicates, "ROOT", tmp_path)
    return folder


def ship(tmp_path: Path) -> tuple[FakeBench, duplicates.Before, str, Calibration]:
    bench = FakeBench(tmp_path)
    before = duplicates.ship_calibration(cast(Bench, bench), ["PAN", "STS-B"])
    made = read_calibration(bench.calibration(ALL))
    now = {("PAN", SHIPPED): report(0.75), ("STS-B", SHIPPED): report(0.65)}
    return bench, before, "\n".join(duplicates.shipped_lines(before, now, made)), made


def test_a_models_first_calibration_is_written_where_the_worker_looks(shipped: Path, tmp_path: Path) -> None:
    """Under the name of the embedding model that the cosines were of."""
    bench, before, said, made = ship(tmp_path)
    assert read_calibration(shipped / SHIPPED_FILE.name) == made
    assert (before.pairs, bench.asked) == (0, [])
    assert f"calibrations/{SHIPPED_FILE.name} is remade, on 200 pairs" in said


def test_the_former_one_is_measured_before_it_is_replaced(shipped: Path, tmp_path: Path) -> None:
    """So that nobody ships a worse one unseen."""
    file = shipped / SHIPPED_FILE.name
    shutil.copy(SHIPPED_FILE, file)
    bench, before, said, made = ship(tmp_path)
    assert bench.asked == [(name, "--calibration", str(file)) for name in ("PAN", "STS-B")]
    assert before.pairs == read_calibration(SHIPPED_FILE).made_on.pairs
    assert read_calibration(file) == made
    assert [line.split("|")[-2].strip() for line in said.splitlines()[2:] if "-" * 5 not in line] == [
        "mean F1", "0.500", "0.700",
    ]  # fmt: skip
