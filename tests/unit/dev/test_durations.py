"""The times of the last run: shown as an estimate, kept when a step ended well, never in the way."""

import json
from pathlib import Path

import pytest

from dev import durations
from dev.cli import deploy
from dev.durations import Durations, clock, of_last_time, run_kind
from dev.progress import Reporter


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (7, "0:07"), (190.2, "3:10"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_seconds_are_shown_as_a_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("elapsed_s", "last_s", "shown"),
    [
        (190, 560, "3:10 of about 9:20"),
        (600, 560, "10:00, 9:20 last time"),
        (190, None, "3:10"),
        (1, 2.5, "0:01"),
    ],
)
def test_a_step_is_shown_beside_its_last_time(elapsed_s: float, last_s: float | None, shown: str) -> None:
    assert of_last_time(elapsed_s, last_s) == shown


def test_what_had_to_be_built_says_how_a_run_is_called() -> None:
    assert run_kind(frozenset()) == "warm"
    assert run_kind(frozenset({"images"})) == "changed images"
    assert run_kind(frozenset({"images", "programs"})) == "cold"


def test_steps_and_totals_are_found_again(tmp_path: Path) -> None:
    kept = Durations(tmp_path / "new" / "durations.json")
    kept.record_step("Build a", 12.34)
    kept.record_total("cold", 560)
    kept.record_step("Build b", 1)
    again = Durations(tmp_path / "new" / "durations.json")
    assert again.step("Build a") == 12.3
    assert again.step("Build c") is None
    assert again.total("cold") == 560
    assert again.totals_line() == "cold 9:20"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"steps": 4}', '{"steps": {"Build a": "long"}}', "\x00"])
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "durations.json"
    file.write_text(text)
    kept = Durations(file)
    assert kept.step("Build a") is None
    assert kept.totals_line() == ""
    kept.record_step("Build a", 7)
    assert kept.step("Build a") == 7


def test_a_file_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = Durations(tmp_path / "file" / "durations.json")
    kept.record_total("warm", 80)
    assert kept.total("warm") is None


def test_the_file_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durations, "STEPS_MAX", 3)
    kept = Durations(tmp_path / "durations.json")
    for title in ("a", "b", "c", "a", "d"):
        kept.record_step(title, 1)
    assert list(json.loads((tmp_path / "durations.json").read_text())["steps"]) == ["c", "a", "d"]


def test_the_demo_s_time_is_shown_beside_the_last_ones_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Durations(tmp_path / "durations.json")
    kept.record_total("cold", 560)
    kept.record_total("warm", 90)
    deploy.say_total(Reporter(), kept, 78)
    assert (
        capsys.readouterr().out == "The demo took 1:18 (warm; the last times here: cold 9:20, warm 1:30).\n"
    )
    assert kept.total("warm") == 78
    first = Reporter()
    first.built.add("programs")
    deploy.say_total(first, Durations(tmp_path / "other.json"), 600)
    assert capsys.readouterr().out == "The demo took 10:00 (cold).\n"
