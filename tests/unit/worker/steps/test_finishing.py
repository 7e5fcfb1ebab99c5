"""What a finished department leaves to the next worker: what passes is waited for, what is refused is not."""

import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from redis.exceptions import AuthenticationError, NoPermissionError

from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint, Evaluation
from gather_worker.errors import BrainKeyRefused, BrainUnusable, EvaluationRefused, IndexUnavailable
from gather_worker.services import evaluation
from gather_worker.settings import EvaluationDetail
from gather_worker.steps.finishing import Finisher

REFUSED = "BRAIN_SERVICE_API_KEY: the brain refuses the key (401 unauthorized)"


@dataclass
class Department:
    """A finished department whose last notes the brain does not have, and all that its last steps use."""

    brain: Exception | None = None
    checkpoint: Checkpoint = field(
        default_factory=lambda: Checkpoint(
            id="u/story", run_uid="u", department="story", finished=StopReason.THRESHOLD_REACHED,
            unindexed=["a", "b"], epoch=1,
        )
    )  # fmt: skip
    finished: int = 0

    async def index(self) -> None:
        if self.brain is not None:
            raise self.brain
        self.checkpoint = self.checkpoint.indexed(set(self.checkpoint.unindexed))

    async def follow(self) -> None:
        pass

    async def unsent_evaluations(self, _: str) -> list[Checkpoint]:
        return []

    async def save(self, change: Any) -> None:
        self.checkpoint = change(self.checkpoint)

    async def finished_event(self, _: Checkpoint) -> None:
        self.finished += 1

    def finisher(self, *, is_last_attempt: bool = False, duration_s: float = 60) -> Finisher:
        """Return the last steps."""
        task: Any = SimpleNamespace(
            is_last_department=True, is_last_attempt=lambda _: is_last_attempt, is_beside_others=False
        )
        settings: Any = SimpleNamespace(
            broker_url="redis://:x@broker/0", evaluation_timeout_s=1, evaluation_task="t",
            evaluation_queue="q", evaluation_priority=1, evaluation_detail=EvaluationDetail.MINIMAL,
        )  # fmt: skip
        events: Any = SimpleNamespace(finished=self.finished_event)
        own: Any = self
        return Finisher(
            task, settings, Attempt(duration_s), checkpointer=own, publisher=own, store=own, follower=own,
            events=events,
        )  # fmt: skip


async def test_a_brain_that_refuses_the_key_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """No further attempt is asked for; what is left, and the setting, stand in the result and in the log."""
    department = Department(BrainKeyRefused(REFUSED))
    finisher = department.finisher()
    await finisher.finish()
    assert finisher.left == [f"2 notes are not indexed: {REFUSED}"]
    assert department.checkpoint.unindexed == ["a", "b"]
    assert department.finished == 1
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        f"left for the project's next worker: 2 notes are not indexed: {REFUSED}"
    ]


async def test_a_brain_that_is_away_is_waited_for_by_a_further_attempt() -> None:
    """As long as there is one."""
    with pytest.raises(IndexUnavailable, match="2 notes wait"):
        await Department(BrainUnusable("away")).finisher(duration_s=0.01).finish()


async def test_a_broker_that_refuses_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluation waits in the checkpoint for the next worker; no attempt is spent on it."""

    async def refuses(*_: Any) -> bool:
        raise EvaluationRefused("CELERY_BROKER_URL: no")

    monkeypatch.setattr(evaluation, "send_evaluation", refuses)
    department = Department()
    department.checkpoint = department.checkpoint.model_copy(update={"evaluation": Evaluation.SENDING})
    finisher = department.finisher()
    await finisher.finish()
    assert finisher.left == ["the evaluation is not queued: CELERY_BROKER_URL: no"]
    assert department.checkpoint.evaluation is Evaluation.SENDING
    assert department.finished == 1


class AccessRefused(Exception):  # noqa: N818 - as the AMQP library names it
    """The like of `amqp.exceptions.AccessRefused`."""


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (AuthenticationError("invalid username-password pair"), "refuses its user or password"),
        (NoPermissionError("this user has no permissions"), "may not queue messages"),
        (AccessRefused(403, "ACCESS_REFUSED - Login was refused"), "refuses its user or password"),
        (ConnectionRefusedError("refused"), ""),
        (TimeoutError(), ""),
    ],
    ids=["redis password", "redis rights", "amqp", "away", "slow"],
)
def test_a_refusal_is_found_under_what_wraps_it(cause: Exception, said: str) -> None:
    """Kombu raises an error of its own from the transport's."""
    wrapped = RuntimeError("Error connecting to redis://:secret@broker")
    wrapped.__cause__ = cause
    found = evaluation.refusal_of_broker(wrapped)
    assert (said in found) if said else found == ""
    assert found.startswith("CELERY_BROKER_URL") == bool(said)
    assert "secret" not in found
