"""Progress in a log and on a terminal."""

import io
import re

import pytest
from rich.console import Console

from dev import progress
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
    assert "  ... Start: the node to be Ready (0 s)\n" in text.getvalue()


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
