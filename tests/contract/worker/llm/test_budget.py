"""A run's budget through real workers: what the model charged never passes the cap, whatever happens."""

import signal
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dev.waiting import wait_for
from gather_contracts.result import StopReason
from tests.support.worker_harness import Ended, WorkerHarness

NewHarness = Callable[..., WorkerHarness]
Behave = Callable[..., None]
CAP_USD = 0.15
"""Some three iterations of the demo model."""


def charged(harness: WorkerHarness) -> tuple[int, float, int]:
    """Return what the demo model was asked and has charged since its start: requests, USD, tokens."""
    totals = httpx.get(f"{harness.services.model_uri}/demo/usage", timeout=30).json()
    return totals["requests"], totals["usage"]["cost"], totals["usage"]["total_tokens"]


def wait_asked(harness: WorkerHarness, requests: int) -> None:
    """Wait until the model was asked so often."""
    wait_for(f"{requests} requests", lambda: charged(harness)[0] >= requests, 30)


def assert_used(ended: Ended) -> None:
    """The department is finished, for want of budget."""
    assert ended.exit_code == 0, ended.messages()
    assert ended.result is not None
    assert ended.result.reason is StopReason.BUDGET_USED


@pytest.mark.parametrize("budget", [{"maxCostUSD": 0}, {"maxTokens": 0}])
def test_budget_nothing_means_no_call(new_harness: NewHarness, budget: dict[str, Any]) -> None:
    """The first department says so at once; no item, no question."""
    harness = new_harness(budget=budget)
    before = charged(harness)
    assert_used(harness.run(0, 5))
    assert charged(harness) == before
    assert harness.items() == []


def test_the_cap_holds_over_departments(new_harness: NewHarness) -> None:
    """What the first has spent is missing to the second; what was paid for is kept, scored and indexed."""
    harness = new_harness(budget={"maxCostUSD": CAP_USD})
    harness.set_threshold(100)
    _, before_usd, _ = charged(harness)
    first = harness.run(0, 2)
    assert first.exit_code == 0, first.messages()
    second = harness.run(1, 50)
    assert_used(second)
    assert charged(harness)[1] - before_usd <= CAP_USD
    assert second.result is not None
    assert second.result.items_created == len(harness.items()) - first.result.items_created  # type: ignore[union-attr]
    assert {item["_id"] for item in harness.items()} == harness.node_ids()
    assert harness.checkpoint(1)["unindexed"] == harness.checkpoint(1)["pending"] == []


def test_the_cap_holds_over_crashes(new_harness: NewHarness, behave: Behave) -> None:
    """Three workers killed in a call that the model goes on to charge, then one that ends: never above."""
    cap = 50_000
    harness = new_harness(budget={"maxTokens": cap})
    harness.set_threshold(100)
    _, _, before = charged(harness)
    for _ in range(3):
        asked, _, _ = charged(harness)
        behave(delay_s=0.7)
        worker = harness.start(0, 50)
        wait_asked(harness, asked + 1)
        worker.signal(signal.SIGKILL)
        worker.process.wait()
    behave(delay_s=0)
    assert_used(harness.run(0, 50))
    ledger = harness.checkpoint()["ledger"]
    assert ledger["reserved"]
    assert charged(harness)[2] - before <= cap


def test_the_model_that_wrote_is_on_the_items(harness: WorkerHarness, behave: Behave) -> None:
    """The department's own fails three times; its stand-in writes, and is named."""
    behave(fault="server_error", count=3)
    ended = harness.run(0, 1, GATHER_LLM_FALLBACK_MODEL="stand/in")
    assert ended.exit_code == 0, ended.messages()
    assert {item["automationMetadata"]["model"] for item in harness.items()} == {"stand/in"}
