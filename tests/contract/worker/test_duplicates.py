"""Duplicates through a real worker process: its model repeats itself, word for word or nearly."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import redis

from dev.paths import ROOT
from dev.waiting import wait_for
from gather_contracts.text import text_hash
from gather_demo.llm.judge import is_duplicate
from gather_worker.duplicates.calibration import read_calibration
from gather_worker.services.verdict_cache import PREFIX
from tests.support.network.gate import Gate
from tests.support.worker_harness import Ended, WorkerHarness

NewHarness = Callable[..., WorkerHarness]
ITERATIONS = 6
SHIPPED = ROOT / "worker/gather_worker/duplicates/calibrations"
"""What the worker finds in its package."""


def endless(new_harness: NewHarness) -> WorkerHarness:
    """A run whose first department never reaches its threshold."""
    harness = new_harness()
    departments = [each.model_copy(update={"threshold": 100}) for each in harness.document.departments]
    harness.document = harness.document.model_copy(update={"departments": departments})
    return harness


def counted(ended: Ended) -> list[dict[str, Any]]:
    """Return the log's lines on duplicates."""
    return [line for line in ended.log if str(line.get("message")).startswith("duplicates dropped")]


def total(lines: list[dict[str, Any]], name: str) -> int:
    """Return the sum of a count."""
    return sum(line[name] for line in lines)


def assert_counts_are_true(harness: WorkerHarness, ended: Ended) -> None:
    """What was written is kept or counted as dropped; no two items have the same words."""
    assert ended.exit_code == 0, ended.messages()
    contents = [item["content"] for item in harness.items()]
    assert len({text_hash(content) for content in contents}) == len(contents)
    lines = counted(ended)
    assert len(lines) == harness.checkpoint()["iterations"]
    assert total(lines, "drafts") - total(lines, "copies") - total(lines, "near") == len(contents)


def assert_told_apart(harness: WorkerHarness, ended: Ended) -> None:
    """No two of the items say the same; those that share but how to do something do not."""
    assert_counts_are_true(harness, ended)
    contents = [item["content"] for item in harness.items()]
    alike = [pair for pair in combinations(contents, 2) if is_duplicate(*pair)]
    assert [pair for pair in alike if is_duplicate(*(each.partition(". ")[0] for each in pair))] == []
    lines = counted(ended)
    assert total(lines, "copies") + total(lines, "near") > 0


def test_what_the_model_repeats_is_dropped(new_harness: NewHarness) -> None:
    """The shipped calibration is for the brain's model, and leaves the model little to judge."""
    harness = endless(new_harness)
    ended = harness.run(0, ITERATIONS)
    assert_told_apart(harness, ended)
    assert not [message for message in ended.messages() if "no calibration" in message]
    lines = counted(ended)
    assert total(lines, "judged_pairs") <= total(lines, "drafts") / 2


def test_what_lies_between_the_cuts_is_judged(new_harness: NewHarness, tmp_path: Path) -> None:
    """A calibration of the user's own sure of nothing above its cut: the model decides there, once."""
    shipped = SHIPPED / "all-MiniLM-L6-v2-w8a8.json"
    unsure = read_calibration(shipped).model_copy(update={"above": 1000.0})
    own = tmp_path / "own.json"
    own.write_text(unsure.model_dump_json(), encoding="utf-8")
    harness = endless(new_harness)
    ended = harness.run(0, ITERATIONS, GATHER_DUPLICATE_CALIBRATION=str(own))
    assert_told_apart(harness, ended)
    lines = counted(ended)
    assert total(lines, "judged_pairs") > 0
    assert len(harness.checkpoint()["verdicts"]) == total(lines, "judged_pairs")
    with redis.Redis.from_url(harness.services.redis_url) as client:
        kept = list(client.scan_iter(f"{PREFIX}{harness.document.spec.project_id}:*"))
    assert len(kept) == total(lines, "judged_pairs")


def test_a_calibration_that_is_none_is_wrong_input(new_harness: NewHarness, tmp_path: Path) -> None:
    """Exit code 64 before anything is paid for, with the reason."""
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"version": 1}), encoding="utf-8")
    ended = new_harness().run(0, 1, GATHER_DUPLICATE_CALIBRATION=str(own))
    assert ended.exit_code == 64
    assert ended.result is not None
    assert "own.json is not one" in ended.result.message


def test_without_the_brain_copies_are_still_dropped(new_harness: NewHarness, brain_gate: Gate) -> None:
    """By words alone; with the brain back, by what it knows."""
    harness = endless(new_harness)
    harness.services = replace(harness.services, brain_uri=brain_gate.uri)
    with brain_gate.absent():
        worker = harness.start(0, ITERATIONS)
        wait_for("3 iterations", lambda: harness.checkpoint().get("iterations", 0) >= 3, 60)
    ended = worker.wait()
    assert_counts_are_true(harness, ended)
    assert [message for message in ended.messages() if "by words alone" in message]
