"""`gather-worker calibrate` and `duplicates` against a real brain, with the demo model as the judge."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dev.rooms import BRAIN_KEY
from dev.service_process import ServiceProcess
from gather_demo.llm.material import read_material
from gather_demo.llm.writer import rephrase
from gather_worker.calibrate.labelled_pairs import LabelledPair, write_pairs
from tests.support.workers.process_forks import ProcessForks

PAIRS = 400
TIMEOUT_S = 120
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notes put differently, and different notes."""
    chance = random.Random(1)  # noqa: S311 - the same every time
    sentences = _sentences()
    pairs = []
    for place in range(PAIRS):
        one, other, third, fourth = chance.sample(sentences, 4)
        note = f"{one} {other} {third}"
        is_same = place % 2 == 0
        against = (
            rephrase(note, read_material(), chance)
            if is_same
            else f"{one} {fourth} {chance.choice(sentences)}"
        )
        pairs.append(LabelledPair(a=note, b=against, duplicate=is_same))
    path = tmp_path_factory.mktemp("pairs") / "notes.jsonl"
    write_pairs(path, pairs)
    return path


def _sentences() -> list[str]:
    """Return sentences of the demo model's material."""
    text = json.dumps(read_material().model_dump(mode="json"), ensure_ascii=False)
    found = [each for each in text.split('"') if each.count(" ") > 6 and "{" not in each]
    assert len(found) > 50
    return found


@pytest.fixture
def run(brain_store: ServiceProcess, forks: ProcessForks) -> Run:
    """Return what gives back what a command prints."""

    def printed(*arguments: str, **environment: str) -> Any:
        variables = {
            "PATH": os.environ["PATH"],
            "BRAIN_SERVICE_BASE_URL": brain_store.uri,
            "BRAIN_SERVICE_API_KEY": BRAIN_KEY,
            "GATHER_SECRETS_DIR": "/nonexistent",
            **environment,
        }
        done = forks.run(arguments, variables, TIMEOUT_S)
        assert done.returncode == 0, done.stderr
        assert "pairs" in done.stderr
        return json.loads(done.stdout) if "--table" not in arguments else done.stdout

    return printed


def test_a_calibration_is_made_measured_and_used(
    run: Run, model_store: ServiceProcess, pairs_file: Path, tmp_path: Path
) -> None:
    """Its figures are of pairs that it was not made on, and the model is asked about the band only."""
    own = tmp_path / "own.json"
    made = run("calibrate", "--pairs", str(pairs_file), "--out", str(own), "--source", "notes")
    (held_out,) = made["heldOut"]
    assert made["madeOn"]["sources"] == ["notes"]
    assert made["madeOn"]["pairs"] + held_out["pairs"] == PAIRS
    assert made["embeddingModel"] == held_out["embeddingModel"]
    ways = {row["way"]: row for row in held_out["rows"]}
    assert ways["stages without a model"]["f1"] >= 0.9
    assert all(row["isSimulated"] == ("simulated" in way) for way, row in ways.items())

    with_model = run(
        "duplicates", "--pairs", str(pairs_file), "--calibration", str(own),
        GATHER_LLM_BASE_URL=f"{model_store.uri}/v1", GATHER_JUDGE_MODEL="openai/gpt-5-mini",
    )  # fmt: skip
    last = with_model["rows"][-1]
    assert (last["way"], last["isSimulated"]) == ("stages with the model", False)
    assert last["judgedShare"] == with_model["bandShare"] <= 0.15

    capped = run(
        "duplicates", "--pairs", str(pairs_file), "--calibration", str(own), "--max-cost", "0",
        GATHER_LLM_BASE_URL=f"{model_store.uri}/v1", GATHER_JUDGE_MODEL="openai/gpt-5-mini",
    )  # fmt: skip
    ways = {row["way"]: row for row in capped["rows"]}
    assert ways["stages with the model"]["f1"] == ways["stages without a model"]["f1"]

    table = run("duplicates", "--pairs", str(pairs_file), "--no-model", "--table")
    assert "stages without a model" in table
    assert "stages with the model" not in table
