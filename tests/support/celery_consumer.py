"""The application's side of evaluations, for tests: a Celery worker that records each evaluation.

Run as `celery --app tests.support.celery_consumer worker`; the broker comes from `CELERY_BROKER_URL`.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

import redis
from celery import Celery  # type: ignore[import-untyped]
from celery.signals import worker_ready  # type: ignore[import-untyped]

from dev.paths import ROOT
from dev.service_process import ServiceProcess, script
from gather_contracts import names

READY_KEY: Final = "celery-consumer:ready"
RECEIVED_KEY: Final = "celery-consumer:received"

app = Celery("celery-consumer", broker=os.environ.get("CELERY_BROKER_URL"))
app.conf.worker_hijack_root_logger = False


def _redis() -> redis.Redis:
    return redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])


@app.task(name=names.EVALUATION_TASK, bind=True)  # type: ignore[untyped-decorator]
def evaluate_department(
    self: Any, *, project_id: str, department_number: int, user_id: str, auto_triggered: bool
) -> None:
    """Record the task's id and arguments."""
    arguments = {
        "project_id": project_id,
        "department_number": department_number,
        "user_id": user_id,
        "auto_triggered": auto_triggered,
    }
    with _redis() as client:
        client.rpush(RECEIVED_KEY, json.dumps({"id": self.request.id, "kwargs": arguments}))


@worker_ready.connect  # type: ignore[untyped-decorator]
def _note_ready(**_: Any) -> None:
    with _redis() as client:
        client.set(READY_KEY, "1")


def celery_service(folder: Path, redis_url: str) -> ServiceProcess:
    """Describe a Celery worker on the evaluations' queue."""
    environment = {"CELERY_BROKER_URL": redis_url, "PYTHONPATH": str(ROOT)}
    options = ["--pool", "solo", "--queues", names.EVALUATION_QUEUE, "--loglevel", "WARNING"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [script("celery"), "--app", "tests.support.celery_consumer", "worker", *options, *quiet]
    return ServiceProcess("Celery", redis_url, folder, command, _is_ready, environment)


def received(redis_url: str) -> list[dict[str, Any]]:
    """Return what the Celery worker was asked for, in order."""
    with redis.Redis.from_url(redis_url) as client:
        texts: Any = client.lrange(RECEIVED_KEY, 0, -1)
    return [json.loads(text) for text in texts]


def forget(redis_url: str) -> None:
    """Forget what was received, and that a worker was ready."""
    with redis.Redis.from_url(redis_url) as client:
        client.delete(RECEIVED_KEY, READY_KEY)


def _is_ready(redis_url: str) -> bool:
    with redis.Redis.from_url(redis_url) as client:
        return bool(client.exists(READY_KEY))
