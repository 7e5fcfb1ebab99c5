"""`make model-report` against the demo model: every part, its costs, and its cap."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.service_process import ServiceProcess
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_worker.cli.settings import PreviewSettings
from gather_worker.errors import InvalidInput
from gather_worker.settings import read_settings
from tests.evals.coverage import Vectors
from tests.evals.model_report import parsed, report
from tests.evals.model_tables import markdown_of

MODEL = "anthropic/claude-sonnet-4.5"


@pytest.fixture(scope="module")
def model(embedding_model_dir: Path) -> OnnxModel:
    """The default embedding model."""
    return OnnxModel(embedding_model_dir, None)


@pytest.fixture
def settings(model_store: ServiceProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PreviewSettings:
    """The demo model as the endpoint; no brain, no store."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("GATHER_LLM_BASE_URL", f"{model_store.uri}/v1")
    return read_settings(PreviewSettings)


async def made(settings: PreviewSettings, model: OnnxModel, *arguments: str) -> dict[str, Any]:
    """Return the report on one department."""
    given = parsed(["--departments", "1", "--repeats", "2", *arguments])
    return await report(settings, given, Vectors(model.embed), model.name)


def charged_by(model_store: ServiceProcess) -> float:
    """Return what the endpoint has charged since its start, in USD."""
    return float(httpx.get(f"{model_store.uri}/demo/usage").json()["usage"]["cost"])


async def test_every_part_is_measured(
    settings: PreviewSettings, model: OnnxModel, model_store: ServiceProcess
) -> None:
    """The demo model shows that it works, not what it is worth; what is reported is what was charged."""
    before = charged_by(model_store)
    found = await made(settings, model, "--model", MODEL)
    charged = charged_by(model_store) - before
    (written,) = found["preview"]["departments"]
    assert written["writer"] == MODEL
    assert 5 <= written["notes"] <= 10
    assert written["score"] is not None
    assert found["duplicates"]["judged"] == found["duplicates"]["pairs"] > 5
    assert found["quality"]["failed"] == 0
    assert found["quality"]["figures"]["repeats: deviation of score"] >= 0
    parts = [found[part] for part in ("preview", "duplicates", "quality")]
    assert found["costUSD"] == pytest.approx(sum(part["costUSD"] for part in parts))
    assert found["costUSD"] == pytest.approx(charged, abs=1e-4)
    assert not found["isCapReached"]
    assert markdown_of(found).count("\n## ") == 3


async def test_the_cap_holds_and_what_was_measured_is_reported(
    settings: PreviewSettings, model: OnnxModel
) -> None:
    """The parts that are left out say so."""
    found = await made(settings, model, "--model", MODEL, "--max-cost", "0.05")
    assert 0 < found["costUSD"] <= 0.05
    assert found["isCapReached"]
    assert "the cap was reached" in markdown_of(found)


async def test_a_model_that_is_not_there_is_said_before_anything_is_paid(
    settings: PreviewSettings, model: OnnxModel
) -> None:
    """With the nearest names."""
    with pytest.raises(
        InvalidInput, match=r"no model anthropic/claude 4.5; near are anthropic/claude-sonnet"
    ):
        await made(settings, model, "--model", "anthropic/claude 4.5")
