"""What docs/quality.md publishes holds, and the same command makes a model's figures."""

from pathlib import Path
from typing import Any

import pytest

from dev.paths import ROOT
from dev.service_process import ServiceProcess
from gather_brain.embeddings.onnx_model import OnnxModel
from tests.evals.coverage import Vectors, published
from tests.evals.quality import BrainMeasure, judged_by, report_on

DOCUMENT = ROOT / "docs" / "quality.md"
MARGIN = 0.08
"""Processors round differently: a case or two near a threshold may fall on its other side."""
POINTS = 0.5
"""The same for a deviation, in points."""


@pytest.fixture(scope="module")
def brain(embedding_model_dir: Path) -> BrainMeasure:
    """The brain's own measures with the default model, each text computed once."""
    return BrainMeasure(Vectors(OnnxModel(embedding_model_dir, None).embed))


def test_the_published_figures_of_the_held_out_departments_hold(brain: BrainMeasure) -> None:
    """Every row of the table; better is fine, worse is not."""
    figures = published(DOCUMENT.read_text("utf-8"), "held_out")
    found = report_on("held_out", brain, 3).shares()
    assert set(found) == set(figures)
    for fact, figure in figures.items():
        is_lower_better = fact.startswith(("rank", "repeats"))
        worse = found[fact] - figure if is_lower_better else figure - found[fact]
        margin = POINTS if fact.startswith("repeats") else MARGIN
        assert worse <= margin, f"{fact}: {found[fact]:.2f}, published {figure:.2f}"


async def test_a_model_s_figures_are_made_by_the_same_command(
    brain: BrainMeasure,
    model_store: ServiceProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The demo model shows that it works, not that it judges."""
    monkeypatch.setenv("GATHER_LLM_BASE_URL", f"{model_store.uri}/v1")
    (name, report), *_ = (await judged_by("demo/judge", brain, 3, 1)).items()
    figures: dict[str, Any] = report.shares()
    assert name == "held_out, demo/judge"
    assert report.cases > 30
    assert set(figures) == set(published(DOCUMENT.read_text("utf-8"), "held_out"))
    assert figures["duplicated: no part rises"] == 1
    said = capsys.readouterr().err
    assert "calls of demo/judge" in said
    assert " tokens, " in said
