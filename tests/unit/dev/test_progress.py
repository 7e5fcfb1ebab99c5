"""Progress in a log and on a terminal."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from dev import progress
from dev.durations import Durations
from dev.progress import Reporter


def _reporter(*, terminal: bool) -> tuple[Reporter, io.StringIO]:
    text = io.StringIO()
    return Reporter(Console(file=text, force_terminal=terminal, width=200, highlight=False)), text


def test_a_step_that_ends_says_how_long_it_took() -> None:
    reporter, text = _reporter(terminal=False)
    with reporter.step("Build [x]"):
        pass
    assert re.fullmatch(r"  Build \[x\] \(\d+\.\d s\)\n", text.getvalue())


def test_a_long_step_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "HEARTBEAT_S", 0.01)
    reporter, text = _reporter(terminal=False)
    with reporter.step("Start") as step:
        step.waits_for("the node to be Ready")
        while "waits" not in text.getvalue() and "the node" not in text.getvalue():
            pass
    assert re.search(r"^  \.\.\. Start: the node to be Ready \(\d+:\d\d\)$", text.getvalue(), re.MULTILINE)


def test_a_step_is_shown_with_its_last_time_and_only_a_good_end_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "HEARTBEAT_S", 0.01)
    kept = Durations(tmp_path / "durations.json")
    kept.record_step("Build Kubernetes", 560)
    text = io.StringIO()
    reporter = Reporter(Console(file=text, width=200), kept)

    def fail() -> None:
        with reporter.step("Build Kubernetes"):
            while "of about" not in text.getvalue():
                pass
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert re.search(r"^  \.\.\. Build Kubernetes \(\d:\d\d of about 9:20\)$", text.getvalue(), re.MULTILINE)
    assert kept.step("Build Kubernetes") == 560
    with reporter.step("Build Kubernetes", builds="programs"):
        pass
    assert kept.step("Build Kubernetes") == pytest.approx(0, abs=30)
    assert reporter.built == {"programs"}


def test_a_step_that_fails_does_not_claim_to_be_done() -> None:
    reporter, text = _reporter(terminal=False)
    with pytest.raises(ValueError, match="broken"), reporter.step("Build"):
        raise ValueError("broken")
    assert text.getvalue() == ""


def test_steps_share_one_live_display_on_a_terminal() -> None:
    reporter, text = _reporter(terminal=True)
    with reporter.step("Download"), reporter.step("Compile"):
        pass
    with reporter.step("Start"):
        pass
    for title in ("Download", "Compile", "Start"):
        assert re.search(rf"{title} \(\d+\.\d s\)", text.getvalue())
