"""A run's budget through real workers: what the model charged never passes the cap, whatever happens."""

import signal
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gather_contracts.result import StopReason
from tests.support.deployed_gather import wait_for
from tests.support.worker_harness import Ended, WorkerLab

NewLab = Callable[..., WorkerLab]
Behave = Callable[..., None]
CAP_USD = 0.15
"""Some three iterations of the demo model."""


def charged(lab: WorkerLab) -> tuple[int, float, int]:
    """Return what the demo model was asked and has charged since its start: requests, USD, tokens."""
    totals = httpx.get(f"{lab.services.model_uri}/demo/usage", timeout=5).json()
    return totals["requests"], totals["usage"]["cost"], totals["usage"]["total_tokens"]


def wait_asked(lab: WorkerLab, requests: int) -> None:
    """Wait until the model was asked so often."""
    wait_for(f"{requests} requests", lambda: charged(lab)[0] >= requests, 30)


def assert_used(ended: Ended) -> None:
    """The department is finished, for want of budget."""
    assert ended.exit_code == 0, ended.messages()
    assert ended.result is not None
    assert ended.result.reason is StopReason.BUDGET_USED


@pytest.mark.parametrize("budget", [{"maxCostUSD": 0}, {"maxTokens": 0}])
def test_budget_nothing_means_no_call(new_lab: NewLab, budget: dict[str, Any]) -> None:
    """The first department says so at once; no item, no question."""
    lab = new_lab(budget=budget)
    before = charged(lab)
    assert_used(lab.run(0, 5))
    assert charged(lab) == before
    assert lab.items() == []


def test_the_cap_holds_over_departments(new_lab: NewLab) -> None:
    """What the first has spent is missing to the second; what was paid for is kept, scored and indexed."""
    lab = new_lab(budget={"maxCostUSD": CAP_USD})
    lab.set_threshold(100)
    _, before_usd, _ = charged(lab)
    first = lab.run(0, 2)
    assert first.exit_code == 0, first.messages()
    second = lab.run(1, 50)
    assert_used(second)
    assert charged(lab)[1] - before_usd <= CAP_USD
    assert second.result is not None
    assert second.result.items_created == len(lab.items()) - first.result.items_created  # type: ignore[union-attr]
    assert {item["_id"] for item in lab.items()} == lab.node_ids()
    assert lab.checkpoint(1)["unindexed"] == lab.checkpoint(1)["pending"] == []


def test_the_cap_holds_over_crashes(new_lab: NewLab, behave: Behave) -> None:
    """Three workers killed in a call that the model goes on to charge, then one that ends: never above."""
    cap = 70_000
    lab = new_lab(budget={"maxTokens": cap})
    lab.set_threshold(100)
    _, _, before = charged(lab)
    for _ in range(3):
        asked, _, _ = charged(lab)
        behave(delay_s=0.7)
        worker = lab.start(0, 50)
        wait_asked(lab, asked + 1)
        worker.signal(signal.SIGKILL)
        worker.process.wait()
    behave(delay_s=0)
    assert_used(lab.run(0, 50))
    ledger = lab.checkpoint()["ledger"]
    assert ledger["reserved"]
    assert charged(lab)[2] - before <= cap


def test_the_model_that_wrote_is_on_the_items(lab: WorkerLab, behave: Behave) -> None:
    """The department's own fails three times; its stand-in writes, and is named."""
    behave(fault="server_error", count=3)
    ended = lab.run(0, 1, GATHER_LLM_FALLBACK_MODEL="stand/in")
    assert ended.exit_code == 0, ended.messages()
    assert {item["automation"]["model"] for item in lab.items()} == {"stand/in"}
