"""`make judge-report` against the demo model: every set, the public ones in their form, costs and cap."""

import json
from pathlib import Path
from typing import Any

import pytest

from dev.service_process import ServiceProcess
from gather_worker.cli.settings import PreviewSettings
from gather_worker.errors import InvalidInput
from gather_worker.settings import read_settings
from tests.evals.judge.judge_report import parsed, report
from tests.support.judges.published_labels import write_published

MODEL = "anthropic/claude-sonnet-4.5"
OWN = {"contradictions", "actionable notes", "specific notes", "made worse: depth", "made worse: coherence"}


@pytest.fixture
def settings(model_store: ServiceProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PreviewSettings:
    """The demo model as the endpoint."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("GATHER_LLM_BASE_URL", f"{model_store.uri}/v1")
    return read_settings(PreviewSettings)


async def made(settings: PreviewSettings, *arguments: str) -> tuple[dict[str, Any], str]:
    """Return the report on a few items of each set."""
    return await report(settings, parsed(["--model", MODEL, "--items", "8", *arguments]))


async def test_every_set_is_measured_and_every_quote_is_one(
    settings: PreviewSettings, tmp_path: Path
) -> None:
    """The demo model quotes the notes; what it is worth as a judge is not the question here."""
    write_published(tmp_path)
    found, text = await made(settings, "--data", str(tmp_path), "--max-cost", "10")
    sets = {each["name"]: each for each in found["sets"]}
    assert sets.keys() > OWN
    assert sets.keys() > {"StorySumm", "TTCW", "SummEval-OP: depth"}
    notes, questions = found["effects"]
    items = sum(each["items"] for each in sets.values())
    assert (notes["failed"], questions["failed"]) == (0, 0)
    assert notes["readings"] + questions["readings"] == 3 * items
    assert notes["unquoted"]["value"] == questions["unquoted"]["value"] == 0
    assert found["set"]["GATHER_JUDGE_REPEATS"] in {1, 3, 5}
    assert 0 < found["costUSD"] <= 10
    assert "## What is wrong with it" in text
    json.dumps(found)


async def test_the_cap_holds_and_a_part_of_each_set_is_measured(settings: PreviewSettings) -> None:
    """What was not asked is no failure of the model's."""
    found, text = await made(settings, "--max-cost", "0.3")
    assert 0 < found["costUSD"] <= 0.3
    assert found["isCapReached"]
    assert "the cap was reached" in text
    assert [each["failed"] for each in found["effects"]] == [0]
    assert all(each["items"] > 0 for each in found["sets"])


async def test_a_judge_that_is_not_there_is_said_before_anything_is_paid(settings: PreviewSettings) -> None:
    """With the nearest names."""
    with pytest.raises(InvalidInput, match=r"no model anthropic/claude 4\.5"):
        await report(settings, parsed(["--model", "anthropic/claude 4.5"]))
