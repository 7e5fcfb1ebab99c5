"""Evaluations as the application gets them: by a real Celery worker on a real Redis, exactly one each."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery  # type: ignore[import-untyped]

from dev.service_process import ServiceProcess
from dev.waiting import wait_for
from gather_contracts import names
from tests.support.application.celery_consumer import (
    SAMPLE_TASK,
    TAKES_ITS_OWN,
    celery_service,
    forget,
    received,
)
from tests.support.crash_harness import CrashHarness
from tests.support.fault_proxies import FaultProxies, Phase
from tests.support.worker_harness import Services, WorkerHarness

IS_FULL = float(os.environ.get("GATHER_FAULTS_SHARE", "0")) == 1
THRESHOLD = 1
"""Reached in the first iteration: only the end matters here."""


@pytest.fixture(scope="module")
def celery(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The application's Celery worker, for tests that look at what it gets."""
    forget(redis_url)
    celery = celery_service(tmp_path_factory.mktemp("celery"), redis_url)
    celery.start()
    yield celery
    celery.stop()
    forget(redis_url)


@pytest.fixture(scope="module")
def proxies(services: Services) -> Iterator[FaultProxies]:
    """Proxies to all services."""
    proxies = FaultProxies(services)
    yield proxies
    proxies.close()


@pytest.fixture
def new_crash(new_harness: Callable[..., WorkerHarness], proxies: FaultProxies) -> Callable[[], CrashHarness]:
    """Make runs of one department of projects of their own."""

    def make() -> CrashHarness:
        harness = new_harness()
        harness.set_threshold(THRESHOLD)
        return CrashHarness(harness, proxies)

    return make


def kwargs_of(harness: WorkerHarness, number: int = 10) -> dict[str, Any]:
    """Return the task's arguments, as the requirements name them."""
    return {
        "project_id": harness.project_id,
        "department_number": number,
        "user_id": "harness-user",
        "auto_triggered": True,
    }


def evaluations(redis_url: str, harness: WorkerHarness) -> list[dict[str, Any]]:
    """Return the project's tasks that Celery has run, once all that were queued until now are through."""
    sentinel = str(uuid.uuid4())
    app = Celery(broker=redis_url, set_as_current=False)
    arguments = {"project_id": "", "department_number": 0, "user_id": "", "auto_triggered": False}
    app.send_task(names.EVALUATION_TASK, kwargs=arguments, task_id=sentinel, queue=names.EVALUATION_QUEUE)
    app.close()
    wait_for("the sentinel", lambda: any(task["id"] == sentinel for task in received(redis_url)), 60)
    return [task for task in received(redis_url) if task["kwargs"]["project_id"] == harness.project_id]


def phases_around(message: int) -> list[tuple[int, Phase]]:
    """Return the deaths that are tried: the message did not reach Redis, or did and nobody knows; and, in
    full, the writes next to it.
    """
    inner = [(message, Phase.REQUEST), (message, Phase.RESPONSE)]
    outer = [(message - 1, Phase.RESPONSE), (message + 1, Phase.REQUEST)]
    return inner + outer if IS_FULL else inner


def message_number(crash: CrashHarness) -> int:
    """Return which write of an undisturbed worker queues the evaluation."""
    crash.proxies.reset()
    assert crash.start(is_proxied=True).wait().exit_code == 0
    writes = enumerate(crash.proxies.writes, start=1)
    (message,) = (number for number, write in writes if (write.service, write.name) == ("redis", "EVAL"))
    return message


@pytest.mark.usefixtures("celery")
def test_a_worker_killed_while_it_sends_queues_one_evaluation(
    new_crash: Callable[[], CrashHarness], redis_url: str
) -> None:
    """At the writes around the message, found in a run that nobody disturbs: before, in and after it."""
    crash = new_crash()
    message = message_number(crash)
    (task,) = evaluations(redis_url, crash.harness)
    assert task["kwargs"] == kwargs_of(crash.harness)
    for number, phase in phases_around(message):
        crash = new_crash()
        assert crash.killed_at(number, phase)
        assert crash.run().exit_code == 0
        (task,) = evaluations(redis_url, crash.harness)
        assert task["kwargs"] == kwargs_of(crash.harness)
        document = crash.harness.document
        assert task["id"] == names.evaluation_task_id(document.run.uid, document.departments[0].slug)


def test_evaluation_is_queued_once_if_redis_restarts_before_the_checkpoint_is_saved(
    new_crash: Callable[[], CrashHarness], redis_store: ServiceProcess, celery: ServiceProcess
) -> None:
    """With its data it knows the id; without it has lost the message as well, which is then sent again."""
    message = message_number(new_crash())
    for is_data_lost in (False, True):
        celery.stop()
        crash = new_crash()
        assert crash.killed_at(message, Phase.RESPONSE)
        with redis.Redis.from_url(redis_store.uri) as client:
            assert client.llen(names.EVALUATION_QUEUE) == 1
            if is_data_lost:
                client.flushall()
        redis_store.kill()
        redis_store.start()
        assert crash.run().exit_code == 0
        forget(redis_store.uri)
        celery.start()
        assert len(evaluations(redis_store.uri, crash.harness)) == 1


def test_an_evaluation_that_could_not_be_queued_comes_with_the_next_worker(
    new_harness: Callable[..., WorkerHarness], redis_store: ServiceProcess, celery: ServiceProcess
) -> None:
    """The first department leaves it to the second; the last one comes again for it."""
    celery.stop()
    harness = new_harness(departmentRetries=1)
    harness.set_threshold(THRESHOLD)
    with redis_store.absent():
        first = harness.run(0, 2, GATHER_EVALUATION_TIMEOUT_S="2")
        last = harness.run(1, 2, GATHER_EVALUATION_TIMEOUT_S="2")
    assert first.exit_code == 0, first.messages()
    assert last.result is not None
    assert (last.exit_code, last.result.reason) == (75, "EvaluationUnavailable"), last.messages()
    assert [c["evaluation"] for c in harness.checkpoints()] == ["sending", "sending"]
    assert harness.run(1, 2).exit_code == 0
    assert [c["evaluation"] for c in harness.checkpoints()] == ["sent", "sent"]
    forget(redis_store.uri)
    celery.start()
    tasks = evaluations(redis_store.uri, harness)
    assert sorted(task["kwargs"]["department_number"] for task in tasks) == [10, 20]


@pytest.mark.parametrize("detail", ["minimal", "full"])
def test_an_application_that_names_no_task_takes_the_evaluation(
    new_harness: Callable[..., WorkerHarness],
    redis_url: str,
    tmp_path: Path,
    detail: str,
) -> None:
    """Laid out and imported as in the requirements, so that the task has the name of its module's path."""
    folder = tmp_path / "application"
    folder.mkdir()
    harness = new_harness()
    harness.set_threshold(THRESHOLD)
    forget(redis_url)
    with celery_service(folder, redis_url, is_sample=True, queue="reviews").running():
        ended = harness.run(
            GATHER_EVALUATION_TASK=SAMPLE_TASK,
            GATHER_EVALUATION_QUEUE="reviews",
            GATHER_EVALUATION_DETAIL=detail,
        )
        assert ended.exit_code == 0, ended.messages()
        wait_for("the evaluation", lambda: received(redis_url) or None, 60)
    (task,) = received(redis_url)
    forget(redis_url)
    assert harness.checkpoint()["evaluation"] == "sent"
    assert kwargs_of(harness).items() <= task["kwargs"].items()
    more = {name: value for name, value in task["kwargs"].items() if name not in kwargs_of(harness)}
    if detail == "minimal":
        assert more == {}
        return
    notes = more.pop("gather_data")
    assert more == {"department_slug": "story", "threshold": THRESHOLD, "previous_evaluations": []}
    assert {note["content"] for note in notes} == {item["content"] for item in harness.items()}


def test_the_application_s_own_evaluation_gets_exactly_what_it_takes(
    new_harness: Callable[..., WorkerHarness], redis_url: str, tmp_path: Path
) -> None:
    """Its task refuses every other argument, such as the requirements' `user_id`."""
    folder = tmp_path / "application"
    folder.mkdir()
    harness = new_harness()
    harness.set_threshold(THRESHOLD)
    forget(redis_url)
    service = celery_service(folder, redis_url, is_sample=True, queue="reviews", takes=TAKES_ITS_OWN)
    callback = "https://app.example.org/api/evaluations"
    with service.running():
        ended = harness.run(
            GATHER_EVALUATION_TASK=SAMPLE_TASK,
            GATHER_EVALUATION_QUEUE="reviews",
            GATHER_EVALUATION_DETAIL="application",
            GATHER_EVALUATION_CALLBACK_URL=callback,
        )
        assert ended.exit_code == 0, ended.messages()
        wait_for("the evaluation", lambda: received(redis_url) or None, 60)
    (task,) = received(redis_url)
    forget(redis_url)
    assert harness.checkpoint()["evaluation"] == "sent"
    notes = task["kwargs"].pop("gather_data")
    assert {note["content"] for note in notes} == {item["content"] for item in harness.items()}
    assert task["kwargs"] == {
        "project_id": harness.project_id,
        "department_slug": "story",
        "department_number": 10,
        "previous_evaluations": [],
        "threshold": THRESHOLD,
        "callback_url": callback,
        "metadata": {"user_id": "harness-user", "auto_triggered": True},
    }
