"""What is done with a task that waits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gather_bridge.celery_door.task_decisions import Decision, Fail, Forget, Hold, Revoke, Start, decide
from gather_bridge.celery_door.task_message import TaskMessage
from gather_bridge.errors import TaskRefused
from gather_contracts import names

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(hours=1), NOW - timedelta(seconds=1)
DATA = {"project_id": "507f1f77bcf86cd799439011", "user_id": "me"}


def decision(
    state: str = "PENDING", *, is_revoked: bool = False, data: Any = None, **fields: Any
) -> Decision:
    message = TaskMessage("an-id", names.GATHER_TASK, [data or DATA], {}, {}, **fields)
    return decide(message, state, is_revoked=is_revoked, now=NOW)


def test_a_task_becomes_a_run_of_this_door() -> None:
    start = decision()
    assert isinstance(start, Start)
    assert start.manifest["metadata"]["name"] == "an-id"
    assert start.manifest["metadata"]["labels"] == {names.LABEL_DOOR: "celery"}


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE", "REVOKED"])
def test_a_task_with_a_final_result_is_taken_out(state: str) -> None:
    assert decision(state, is_revoked=True) == Forget()


@pytest.mark.parametrize("state", ["PENDING", "RECEIVED", "STARTED", "PROGRESS", "RETRY", "ours"])
def test_any_other_state_is_none(state: str) -> None:
    """STARTED is what a door has left that was killed before it took the message out."""
    assert isinstance(decision(state), Start)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"is_revoked": True, "eta": LATER, "expires": EARLIER}, Revoke("revoked")),
        ({"expires": EARLIER}, Revoke("expired")),
        ({"expires": NOW}, Revoke("expired")),
        ({"eta": NOW + timedelta(minutes=9)}, Hold(540.0)),
        ({"eta": NOW + timedelta(days=30)}, Hold(3600.0)),
        ({"eta": LATER, "expires": NOW + timedelta(seconds=9)}, Hold(9.0)),
        ({"eta": LATER, "expires": EARLIER}, Revoke("expired")),
        ({"eta": NOW + timedelta(seconds=2)}, Hold(2.0)),
    ],
    ids=[
        "revoked",
        "expired",
        "expires now",
        "not due",
        "far ahead",
        "expires before it is due",
        "expired before due",
        "due soon",
    ],
)
def test_revoked_before_expired_before_not_due(given: dict[str, Any], expected: Decision) -> None:
    assert decision(**given) == expected


@pytest.mark.parametrize("eta", [NOW, EARLIER])
def test_what_is_due_starts(eta: datetime) -> None:
    assert isinstance(decision(eta=eta, expires=LATER), Start)


def test_what_can_never_work_fails_at_once_even_if_it_is_not_due() -> None:
    fail = decision(fault=TaskRefused("args", "no"), eta=LATER)
    assert isinstance(fail, Fail)
    assert (fail.failure.error, fail.failure.message) == ("InvalidInput", "args: no")
    assert fail.failure.details["field"] == "args"
    assert isinstance(decision(data={"user_id": "me"}), Fail)


@pytest.mark.parametrize(("asked", "given"), [(0, 3600), (7200, 7200), (None, None)])
def test_a_run_stays_until_a_door_that_was_away_is_back(asked: int | None, given: int | None) -> None:
    start = decision(data={**DATA, "ttl_seconds_after_finished": asked})
    assert isinstance(start, Start)
    assert start.manifest["spec"].get("ttlSecondsAfterFinished") == given
