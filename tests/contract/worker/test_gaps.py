"""The gaps that coverage names steer the next notes, and coverage rises where they were followed."""

from collections.abc import Callable

import pytest

from dev.obeying_model import ObeyingModel, fenced, served
from dev.worker_lab import WorkerLab


def gaps_before_and_after(lab: WorkerLab, model: ObeyingModel) -> tuple[list[str], list[str]]:
    """Return the gaps, the worst first, that the second iteration was shown, and those left after it."""
    lab.services = type(lab.services)(**{**vars(lab.services), "model_uri": model.uri})
    assert lab.run(0, 2).exit_code == 0
    shown = [fenced(body["messages"]) for body in model.requests]
    first, second = [data["gaps"] for data in shown if "gaps" in data]
    assert first == []
    assert [order["notes"] for order in second] == sorted((o["notes"] for o in second), reverse=True)
    assert sum(order["notes"] for order in second) == 5
    return [order["gap"] for order in second], lab.checkpoint()["gaps"]


def aspects(gaps: list[str]) -> list[str]:
    """Return what the gaps are gaps of."""
    return [gap.partition(":")[0] for gap in gaps]


@pytest.mark.parametrize("follows", [True, False])
def test_gaps_that_are_followed_are_closed(new_lab: Callable[[], WorkerLab], *, follows: bool) -> None:
    """And gaps that the model does not care for stay."""
    with served(ObeyingModel(follows_gaps=follows)) as model:
        before, after = gaps_before_and_after(new_lab(), model)
    still_open = set(aspects(before)) & set(aspects(after))
    assert len(still_open) < len(before) / 2 if follows else still_open == set(aspects(before))
