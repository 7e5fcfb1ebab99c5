"""Several departments of a run at work at once: the cap holds, and each sees what the others have saved."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dev.service_process import ServiceProcess
from gather_contracts.result import StopReason
from tests.support.injectable_model import InjectableModel, fenced, harmless, served
from tests.support.worker_harness import WorkerHarness

NewHarness = Callable[..., WorkerHarness]
AT_ONCE = 4
CAP_TOKENS, CAP_USD = 50_000, 0.25
"""Of the demo model some five iterations, so that four workers meet at the end of it."""
WAIT_S = 60


def four_departments(harness: WorkerHarness) -> None:
    """Give the run four departments that never reach their thresholds."""
    first = harness.document.departments[0]
    others = [
        first.model_copy(update={"slug": slug, "name": slug.title(), "code_dep_number": 30 + number})
        for number, slug in enumerate(("sound", "camera"))
    ]
    departments = [*harness.document.departments, *others]
    harness.document = harness.document.model_copy(update={"departments": departments})
    harness.set_threshold(100)


def charged(harness: WorkerHarness) -> tuple[float, int]:
    """Return what the demo model has charged since its start: USD and tokens."""
    totals = httpx.get(f"{harness.services.model_uri}/demo/usage", timeout=30).json()["usage"]
    return totals["cost"], totals["total_tokens"]


def reserved(harness: WorkerHarness) -> list[dict[str, Any]]:
    """Return what is still set aside."""
    return [r for checkpoint in harness.checkpoints() for r in checkpoint["ledger"]["reserved"]]


@pytest.mark.parametrize("kind", ["mongodb_store", "replica_set_store"])
def test_four_workers_at_once_never_spend_more_than_the_cap(
    new_harness: NewHarness, request: pytest.FixtureRequest, kind: str
) -> None:
    """They use it up together: none gives up because of what another has only set aside."""
    is_single = kind == "mongodb_store"
    budget: dict[str, Any] = {"maxTokens": CAP_TOKENS} if is_single else {"maxCostUSD": CAP_USD}
    harness = new_harness(budget=budget, parallelism=AT_ONCE)
    store: ServiceProcess = request.getfixturevalue(kind)
    harness.services = replace(harness.services, mongodb_uri=store.uri)
    four_departments(harness)
    before_usd, before_tokens = charged(harness)
    workers = [harness.start(index, 50) for index in range(AT_ONCE)]
    ended = [worker.wait(240) for worker in workers]
    usd, tokens = charged(harness)
    assert {e.exit_code for e in ended} == {0}, [e.messages() for e in ended]
    assert StopReason.BUDGET_USED in {e.result.reason for e in ended if e.result}
    assert usd - before_usd <= budget.get("maxCostUSD", float("inf"))
    assert tokens - before_tokens <= budget.get("maxTokens", float("inf"))
    assert reserved(harness) == []
    results = [e.result for e in ended if e.result]
    assert sum(r.tokens for r in results) == tokens - before_tokens
    assert max(tokens - before_tokens - CAP_TOKENS / 2, usd - before_usd - CAP_USD / 2) > 0
    print(f"spent {usd - before_usd:.3f} USD, {tokens - before_tokens} tokens of {budget}")


class GatedModel(InjectableModel):
    """Lets its first asker wait until the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived, self.gate = threading.Event(), threading.Event()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the completion for a request's body."""
        if not self.arrived.is_set():
            self.arrived.set()
            assert self.gate.wait(WAIT_S)
        return super().answer(body)


def test_what_another_department_saves_meanwhile_is_seen(new_harness: NewHarness) -> None:
    """While one waits for its first notes the other saves the same ones: they are not said twice, and stand
    in the next prompt.
    """
    notes = json.dumps({"items": [harmless(number) for number in range(6)]})
    harness = new_harness(parallelism=2)
    harness.set_threshold(100)
    gated = GatedModel()
    with served(gated) as model:
        harness.services = replace(harness.services, model_uri=model.uri)
        model.answers = [notes, notes]
        story = harness.start(0, 2)
        assert gated.arrived.wait(WAIT_S)
        character = harness.run(1, 1)
        assert character.exit_code == 0, character.messages()
        gated.gate.set()
        ended = story.wait()
    assert ended.exit_code == 0, ended.messages()
    saved = [i["content"] for i in harness.items() if i["automationMetadata"]["department"] == "character"]
    assert len(saved) == 6
    first = [
        i
        for i in harness.items()
        if (i["automationMetadata"]["department"], i["automationMetadata"]["iteration"]) == ("story", 1)
    ]
    assert first == []
    prompts = [fenced(body["messages"]) for body in model.requests]
    shown = [p for p in prompts if "related_notes" in p and "Story" in str(p["department"])]
    assert len(shown) == 2
    assert shown[0]["related_notes"] == []
    assert set(shown[1]["related_notes"]) & set(saved)
