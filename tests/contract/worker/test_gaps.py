"""The gaps that coverage names steer the next notes, and coverage rises where they are followed."""

from collections.abc import Callable
from typing import Any

import httpx

from dev.rooms import BRAIN_KEY
from gather_contracts.brain import CoverageResponse
from tests.support.injectable_model import InjectableModel, fenced, served
from tests.support.worker_harness import WorkerHarness

NewHarness = Callable[[], WorkerHarness]
GAP_NOTES = 5


def coverage_of(harness: WorkerHarness, iterations: int) -> CoverageResponse:
    """Return what the brain says of the notes of the first iterations."""
    department = harness.document.departments[0]
    items = [i for i in harness.items() if i["automationMetadata"]["iteration"] <= iterations]
    body = {
        "projectId": harness.project_id,
        "department": department.slug,
        "departmentDescription": department.description,
        "gatherItems": [{"id": item["_id"], "content": item["content"]} for item in items],
    }
    answer = httpx.post(
        f"{harness.services.brain_uri}/api/v1/analyze/coverage",
        json=body, headers={"Authorization": f"Bearer {BRAIN_KEY}"}, timeout=60,
    )  # fmt: skip
    return CoverageResponse.model_validate(answer.raise_for_status().json())


def by_aspect(response: CoverageResponse) -> dict[str, float]:
    """Return the coverage of every aspect, 0-100."""
    covered = {aspect.aspect: aspect.coverage for aspect in response.analysis.covered_aspects}
    return covered | {gap.aspect: gap.coverage for gap in response.analysis.gaps}


def shown_gaps(model: InjectableModel) -> list[list[dict[str, Any]]]:
    """Return the gaps that each request for notes showed."""
    shown = [fenced(body["messages"]) for body in model.requests]
    return [data["gaps"] for data in shown if "gaps" in data]


def run_two_iterations(harness: WorkerHarness, model: InjectableModel) -> list[str]:
    """Return the aspects that the second iteration was to treat, in their order."""
    harness.services = type(harness.services)(**{**vars(harness.services), "model_uri": model.uri})
    assert harness.run(0, 2).exit_code == 0
    first, second = shown_gaps(model)
    assert first == []
    assert sum(order["notes"] for order in second) == GAP_NOTES
    return [order["gap"].partition(":")[0] for order in second]


def test_the_worst_gaps_come_first_and_close_where_they_are_followed(new_harness: NewHarness) -> None:
    """With a model that follows the gaps, beside one that ignores them."""
    risen = {}
    for follows in (True, False):
        harness = new_harness()
        with served(InjectableModel(follows_gaps=follows)) as model:
            named = run_two_iterations(harness, model)
        before, after = by_aspect(coverage_of(harness, 1)), by_aspect(coverage_of(harness, 2))
        assert [before[aspect] for aspect in named] == sorted(before.values())[: len(named)]
        risen[follows] = [after[aspect] - before[aspect] for aspect in named]
    followed, ignored = (sum(risen[follows]) / len(risen[follows]) for follows in (True, False))
    assert followed > 20
    # Notes on something else touch a gap by chance.
    assert followed > ignored + 10
