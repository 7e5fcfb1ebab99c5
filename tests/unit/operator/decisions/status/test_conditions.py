"""Conditions as the API conventions want them."""

from datetime import timedelta
from typing import Any

import pytest

from gather_contracts.reasons import ConditionType, Reason
from gather_contracts.resource import GatherRunStatus
from gather_operator.decisions.status.conditions import ConditionSet, shorten


def test_the_transition_time_moves_only_with_the_status(build: Any) -> None:
    """Another reason or message is no transition."""
    first = ConditionSet(GatherRunStatus(), 1, build.now)
    first.put(ConditionType.ACCEPTED, False, Reason.CMS_UNAVAILABLE, "one")
    status = GatherRunStatus(conditions=first.listed())
    later = ConditionSet(status, 2, build.now + timedelta(minutes=1))
    later.put(ConditionType.ACCEPTED, False, Reason.NO_DEPARTMENTS, "two")
    (kept,) = later.listed()
    assert kept.last_transition_time == first.listed()[0].last_transition_time
    assert (kept.reason, kept.message, kept.observed_generation) == ("NoDepartments", "two", 2)
    later.put(ConditionType.ACCEPTED, True, Reason.DEPARTMENTS_RESOLVED)
    assert later.listed()[0].last_transition_time == "2026-05-01T12:01:00.000Z"


def test_conditions_stand_in_the_order_a_run_passes_through_them(build: Any) -> None:
    """And those that were not touched stay."""
    conditions = ConditionSet(GatherRunStatus(), 1, build.now)
    conditions.put(ConditionType.SUCCEEDED, None, Reason.FINISHED)
    conditions.put(ConditionType.ACCEPTED, True, Reason.DEPARTMENTS_RESOLVED)
    assert [(c.type, c.status) for c in conditions.listed()] == [
        ("Accepted", "True"),
        ("Succeeded", "Unknown"),
    ]


@pytest.mark.parametrize("length", [0, 255, 256, 257, 5000])
def test_messages_fit(length: int) -> None:
    """The CRD refuses longer ones, and with them the whole status."""
    assert len(shorten("x" * length)) == min(length, 256)
